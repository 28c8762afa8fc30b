#ifndef PYCHECK_LIB_BASE_USERS_H_
#define PYCHECK_LIB_BASE_USERS_H_

#include <sys/types.h>

#include <optional>
#include <string>

namespace pycheck {

// The names of users, as this machine's C library resolves them (getpwnam(3)):
// from /etc/passwd, or a directory service, which may take its time. Any thread
// may call these.

// The user of this name; else, where the name is a number, that user id;
// nothing where there is no such user.
std::optional<uid_t> FindUser(const std::string& name);

// The name of a user; its number where it has none.
std::string UserName(uid_t user);

}  // namespace pycheck

#endif  // PYCHECK_LIB_BASE_USERS_H_

#ifndef PYCHECK_LIB_BASE_USERS_H_
#define PYCHECK_LIB_BASE_USERS_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"

namespace pycheck {

// The names of users, as this machine's C library resolves them (getpwnam(3)):
// from /etc/passwd, or a directory service, which may take its time, or not
// answer: then it is kUnavailable. Any thread may call these.

// The user of this name; else, where the name is a number, that user id;
// kNotFound where there is no such user.
absl::StatusOr<uid_t> FindUser(const std::string& name);

// The name of a user; its number where it has none.
absl::StatusOr<std::string> UserName(uid_t user);

}  // namespace pycheck

#endif  // PYCHECK_LIB_BASE_USERS_H_

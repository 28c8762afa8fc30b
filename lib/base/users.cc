#include "lib/base/users.h"

#include <pwd.h>

#include <cerrno>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/errno_status.h"

namespace pycheck {
namespace {

using Query = absl::FunctionRef<int(passwd* entry, char* buffer, size_t size,
                                    passwd** found)>;

// What getpwnam(3) lists for "not found" beside 0.
bool MeansNotFound(int error) {
  return error == 0 || error == ENOENT || error == ESRCH || error == EBADF ||
         error == EPERM;
}

// Asks with a buffer that is large enough, and has the entry used.
absl::Status Ask(Query query, absl::FunctionRef<void(const passwd&)> use) {
  constexpr size_t kLargest = size_t{1} << 20;
  int error = 0;
  for (size_t size = 1024; size <= kLargest; size *= 4) {
    std::vector<char> buffer(size);
    passwd entry;
    passwd* found = nullptr;
    error = query(&entry, buffer.data(), size, &found);
    if (found != nullptr) {
      use(entry);
      return absl::OkStatus();
    }
    if (error != ERANGE) break;
  }
  if (MeansNotFound(error)) return absl::NotFoundError("no such user");
  return absl::UnavailableError(
      ErrnoStatus(error, "users cannot be looked up").message());
}

}  // namespace

absl::StatusOr<uid_t> FindUser(const std::string& name) {
  uid_t user = 0;
  absl::Status status = Ask(
      [&](passwd* entry, char* buffer, size_t size, passwd** found) {
        return getpwnam_r(name.c_str(), entry, buffer, size, found);
      },
      [&](const passwd& entry) { user = entry.pw_uid; });
  if (absl::IsNotFound(status) && absl::SimpleAtoi(name, &user)) return user;
  if (!status.ok()) return status;
  return user;
}

absl::StatusOr<std::string> UserName(uid_t user) {
  std::string name;
  absl::Status status = Ask(
      [&](passwd* entry, char* buffer, size_t size, passwd** found) {
        return getpwuid_r(user, entry, buffer, size, found);
      },
      [&](const passwd& entry) { name = entry.pw_name; });
  if (absl::IsNotFound(status)) return absl::StrCat(user);
  if (!status.ok()) return status;
  return name;
}

}  // namespace pycheck

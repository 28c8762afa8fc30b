#include "lib/base/users.h"

#include <pwd.h>

#include <cerrno>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace pycheck {
namespace {

using Query = absl::FunctionRef<int(passwd* entry, char* buffer, size_t size,
                                    passwd** found)>;

// Gives the query a buffer that is large enough.
template <typename Use>
auto Ask(Query query, const Use& use) -> decltype(use(passwd())) {
  constexpr size_t kLargest = size_t{1} << 20;
  for (size_t size = 1024; size <= kLargest; size *= 4) {
    std::vector<char> buffer(size);
    passwd entry;
    passwd* found = nullptr;
    const int error = query(&entry, buffer.data(), size, &found);
    if (found != nullptr) return use(entry);
    if (error != ERANGE) break;
  }
  return std::nullopt;
}

}  // namespace

std::optional<uid_t> FindUser(const std::string& name) {
  std::optional<uid_t> user = Ask(
      [&](passwd* entry, char* buffer, size_t size, passwd** found) {
        return getpwnam_r(name.c_str(), entry, buffer, size, found);
      },
      [](const passwd& entry) { return std::optional(entry.pw_uid); });
  if (uid_t number; !user && absl::SimpleAtoi(name, &number)) user = number;
  return user;
}

std::string UserName(uid_t user) {
  return Ask(
             [&](passwd* entry, char* buffer, size_t size, passwd** found) {
               return getpwuid_r(user, entry, buffer, size, found);
             },
             [](const passwd& entry) {
               return std::optional<std::string>(entry.pw_name);
             })
      .value_or(absl::StrCat(user));
}

}  // namespace pycheck

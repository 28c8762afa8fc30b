#include "lib/base/errno_status.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace pycheck {

absl::Status ErrnoStatus(int error, std::string_view what) {
  char buffer[128];
  // GNU's variant, which may answer with a string of its own.
  const char* description = strerror_r(error, buffer, sizeof(buffer));
  return {absl::ErrnoToStatusCode(error),
          absl::StrCat(what, ": ", description)};
}

}  // namespace pycheck

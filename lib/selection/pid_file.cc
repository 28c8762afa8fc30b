#include "lib/selection/pid_file.h"

#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"

namespace pycheck {

absl::StatusOr<pid_t> ReadPidFile(const std::string& path) {
  constexpr size_t kLongest = 4096;
  constexpr size_t kShown = 80;
  const absl::StatusOr<std::string> text = ReadWholeFile(path, kLongest);
  if (!text.ok()) {
    return absl::Status(
        text.status().code(),
        absl::StrCat("pid_file: ", text.status().message(),
                     "; check the path, and that the Agent's user may read "
                     "the file"));
  }
  // Some programs, such as PostgreSQL, have more in it behind the first line.
  const std::string_view whole = *text;
  const std::string_view content =
      absl::StripAsciiWhitespace(whole.substr(0, whole.find('\n')));
  pid_t pid;
  if (!absl::SimpleAtoi(content, &pid) || pid <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("pid_file: ", path, " holds \"",
                     absl::CHexEscape(content.substr(0, kShown)),
                     "\", not a process id; its first line must be one "
                     "number"));
  }
  return pid;
}

}  // namespace pycheck

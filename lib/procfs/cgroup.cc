#include "lib/procfs/cgroup.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/file.h"

namespace pycheck {
namespace {

constexpr size_t kContainerIdLength = 64;

// The parts of a line's path.
std::vector<std::string_view> PathParts(std::string_view line) {
  const std::vector<std::string_view> fields =
      absl::StrSplit(line, absl::MaxSplits(':', 2));
  if (fields.size() < 3) return {};
  return absl::StrSplit(fields[2], '/', absl::SkipEmpty());
}

// A run of as many digits as an id has, and of no more.
std::optional<std::string_view> FindIdIn(std::string_view part) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  size_t begin = part.find_first_of(kDigits);
  while (begin != std::string_view::npos) {
    const size_t end =
        std::min(part.find_first_not_of(kDigits, begin), part.size());
    if (end - begin == kContainerIdLength) {
      return part.substr(begin, kContainerIdLength);
    }
    begin = part.find_first_of(kDigits, end);
  }
  return std::nullopt;
}

// Below these there are units of another systemd: a user's, or a container's.
bool IsOthersRealm(std::string_view part) {
  return absl::StartsWith(part, "user@") || FindIdIn(part).has_value();
}

}  // namespace

absl::StatusOr<std::string> ReadCgroups(const Procfs& procfs, pid_t pid) {
  constexpr size_t kLongest = size_t{64} << 10;
  return ReadFileStart(procfs.ProcessPath(pid, "cgroup"), kLongest);
}

bool IsInUnit(std::string_view text, std::string_view unit) {
  for (const std::string_view line : absl::StrSplit(text, '\n')) {
    for (std::string_view part : PathParts(line)) {
      // systemd puts an underscore before a name that means something to the
      // kernel, such as "memory.service".
      if (part == unit || (absl::ConsumePrefix(&part, "_") && part == unit)) {
        return true;
      }
      if (IsOthersRealm(part)) break;
    }
  }
  return false;
}

std::optional<std::string_view> FindContainerId(std::string_view text) {
  for (const std::string_view line : absl::StrSplit(text, '\n')) {
    std::optional<std::string_view> innermost;
    for (const std::string_view part : PathParts(line)) {
      if (const auto id = FindIdIn(part)) innermost = id;
    }
    if (innermost) return innermost;
  }
  return std::nullopt;
}

}  // namespace pycheck

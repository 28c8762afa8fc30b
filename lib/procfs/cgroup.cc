#include "lib/procfs/cgroup.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/file.h"

namespace pycheck {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kDigits = "0123456789";

// The parts of a line's path.
std::vector<std::string_view> PathParts(std::string_view line) {
  const std::vector<std::string_view> fields =
      absl::StrSplit(line, absl::MaxSplits(':', 2));
  if (fields.size() < 3) return {};
  return absl::StrSplit(fields[2], '/', absl::SkipEmpty());
}

// A run of as many digits as most runtimes' ids have, and of no more.
std::optional<std::string_view> FindLongId(std::string_view part) {
  constexpr size_t kLength = 64;
  size_t begin = part.find_first_of(kHexDigits);
  while (begin != std::string_view::npos) {
    const size_t end =
        std::min(part.find_first_not_of(kHexDigits, begin), part.size());
    if (end - begin == kLength) return part.substr(begin, kLength);
    begin = part.find_first_of(kHexDigits, end);
  }
  return std::nullopt;
}

bool IsMadeOf(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

// These ids are all that there is in a part.
bool IsTaskId(std::string_view part) {
  constexpr size_t kLength = 32;
  return part.size() > kLength + 1 && part[kLength] == '-' &&
         IsMadeOf(part.substr(0, kLength), kHexDigits) &&
         IsMadeOf(part.substr(kLength + 1), kDigits);
}

bool IsUuid(std::string_view part) {
  const std::vector<std::string_view> groups = absl::StrSplit(part, '-');
  constexpr std::array<size_t, 4> kLengths = {8, 4, 4, 4};
  if (groups.size() != kLengths.size() + 1) return false;
  for (size_t i = 0; i < kLengths.size(); ++i) {
    if (groups[i].size() != kLengths[i]) return false;
  }
  return (groups.back().size() == 4 || groups.back().size() == 12) &&
         absl::c_all_of(groups, [](std::string_view group) {
           return IsMadeOf(group, kHexDigits);
         });
}

std::optional<std::string_view> FindIdIn(std::string_view part) {
  absl::ConsumeSuffix(&part, ".scope");
  if (absl::StrContains(part, "conmon-")) return std::nullopt;
  if (IsTaskId(part) || IsUuid(part)) return part;
  return FindLongId(part);
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

bool IsInPod(std::string_view text, std::string_view uid) {
  // Between slices of systemd a dash has a meaning of its own.
  const std::string pod = absl::StrCat("pod", uid);
  const std::string slice =
      absl::StrCat("-pod", absl::StrReplaceAll(uid, {{"-", "_"}}), ".slice");
  for (const std::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::c_any_of(PathParts(line), [&](std::string_view part) {
          return part == pod || absl::StrContains(part, slice);
        })) {
      return true;
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

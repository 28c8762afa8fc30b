#include "lib/procfs/cgroup.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
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

bool IsHexadecimal(char c) {
  return absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
         (c >= 'a' && c <= 'f');
}

std::optional<std::string_view> FindIdIn(std::string_view part) {
  for (auto begin = part.begin(); begin != part.end();) {
    begin = std::find_if(begin, part.end(), IsHexadecimal);
    const auto end = std::find_if_not(begin, part.end(), IsHexadecimal);
    if (static_cast<size_t>(end - begin) == kContainerIdLength) {
      return part.substr(static_cast<size_t>(begin - part.begin()),
                         kContainerIdLength);
    }
    begin = end;
  }
  return std::nullopt;
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
    }
  }
  return false;
}

std::optional<std::string_view> FindContainerId(std::string_view text) {
  for (const std::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<std::string_view> parts = PathParts(line);
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      if (const auto id = FindIdIn(*part)) return id;
    }
  }
  return std::nullopt;
}

}  // namespace pycheck

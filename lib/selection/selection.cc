#include "lib/selection/selection.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"

namespace pycheck {
namespace {

using Pids = std::vector<pid_t>;

// A process that is not there any more or may not be looked at does not match;
// that there are no descriptors left says nothing about a process.
bool IsOfTheProcess(const absl::Status& status) {
  return !absl::IsResourceExhausted(status);
}

absl::StatusOr<Pids> SelectWhere(
    const Procfs& procfs,
    absl::FunctionRef<absl::StatusOr<bool>(pid_t)> matches) {
  const absl::StatusOr<Pids> pids = procfs.ListPids();
  if (!pids.ok()) return pids.status();
  Pids chosen;
  for (const pid_t pid : *pids) {
    const absl::StatusOr<bool> match = matches(pid);
    if (match.ok() && *match) chosen.push_back(pid);
    if (!match.ok() && !IsOfTheProcess(match.status())) return match.status();
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

bool IsFoundIn(const std::string& line, const re2::RE2& pattern) {
  return absl::StrContains(line, pattern.pattern()) ||
         re2::RE2::PartialMatch(line, pattern);
}

struct Select {
  const Procfs& procfs;

  absl::StatusOr<Pids> operator()(const PidSelector& selector) const {
    return Pids{selector.pid};
  }

  absl::StatusOr<Pids> operator()(const PidFileSelector& selector) const {
    constexpr size_t kLongest = 4096;
    const absl::StatusOr<std::string> text =
        ReadWholeFile(selector.path, kLongest);
    if (!text.ok()) {
      return absl::Status(
          text.status().code(),
          absl::StrCat("pid_file: ", text.status().message(),
                       "; check the path, and that the Agent's user may read "
                       "the file"));
    }
    pid_t pid;
    // Some programs, such as PostgreSQL, have more in it behind the first line.
    const std::string_view whole = *text;
    const std::string_view content =
        absl::StripAsciiWhitespace(whole.substr(0, whole.find('\n')));
    if (!absl::SimpleAtoi(content, &pid) || pid <= 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "pid_file: ", selector.path, " holds \"",
          absl::CHexEscape(content.substr(0, 80)),
          "\", not a process id; its first line must be one number"));
    }
    return Pids{pid};
  }

  absl::StatusOr<Pids> operator()(const NameSelector& selector) const {
    return SelectWhere(procfs, [&](pid_t pid) -> absl::StatusOr<bool> {
      const absl::StatusOr<std::string> name = ReadProcessName(procfs, pid);
      if (!name.ok()) return name.status();
      return absl::c_linear_search(selector.names, *name);
    });
  }

  absl::StatusOr<Pids> operator()(const CommandLineSelector& selector) const {
    return SelectWhere(procfs, [&](pid_t pid) -> absl::StatusOr<bool> {
      const absl::StatusOr<std::string> line = ReadCommandLine(procfs, pid);
      if (!line.ok()) return line.status();
      return !line->empty() &&
             absl::c_any_of(selector.patterns, [&](const auto& pattern) {
               return IsFoundIn(*line, *pattern);
             });
    });
  }
};

}  // namespace

absl::StatusOr<Pids> SelectPids(const Selector& selector,
                                const Procfs& procfs) {
  return std::visit(Select{procfs}, selector);
}

}  // namespace pycheck

#include "lib/procfs/status.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace pycheck {

std::optional<std::string_view> FindStatusField(std::string_view text,
                                                std::string_view name) {
  for (std::string_view line : absl::StrSplit(text, '\n')) {
    if (line.size() > name.size() && line[name.size()] == ':' &&
        absl::StartsWith(line, name)) {
      return absl::StripAsciiWhitespace(line.substr(name.size() + 1));
    }
  }
  return std::nullopt;
}

absl::StatusOr<ContextSwitches> ParseThreadContextSwitches(
    std::string_view text) {
  const auto voluntary = FindStatusField(text, "voluntary_ctxt_switches");
  const auto involuntary = FindStatusField(text, "nonvoluntary_ctxt_switches");
  ContextSwitches switches;
  if (!voluntary || !involuntary ||
      !absl::SimpleAtoi(*voluntary, &switches.voluntary) ||
      !absl::SimpleAtoi(*involuntary, &switches.involuntary)) {
    return absl::InvalidArgumentError(
        "malformed status: no context switches in it");
  }
  return switches;
}

absl::StatusOr<uid_t> ParseRealUser(std::string_view text) {
  const auto ids = FindStatusField(text, "Uid");
  uid_t user;
  if (!ids || !absl::SimpleAtoi(ids->substr(0, ids->find('\t')), &user)) {
    return absl::InvalidArgumentError("malformed status: no user id in it");
  }
  return user;
}

}  // namespace pycheck

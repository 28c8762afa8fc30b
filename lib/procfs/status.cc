#include "lib/procfs/status.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace pycheck {

std::optional<std::string_view> FindStatusField(std::string_view text,
                                                std::string_view name) {
  for (size_t at = text.find(name); at != std::string_view::npos;
       at = text.find(name, at + 1)) {
    const size_t end = at + name.size();
    const bool is_field = (at == 0 || text[at - 1] == '\n') &&
                          end < text.size() && text[end] == ':';
    if (!is_field) continue;
    const std::string_view rest = text.substr(end + 1);
    return absl::StripAsciiWhitespace(rest.substr(0, rest.find('\n')));
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

#include "lib/config/section.h"

#include <cmath>
#include <optional>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/config/nearest.h"

namespace pycheck {
namespace {

constexpr size_t kShownBytes = 77;

// The beginning of a UTF-8 text, cut between two characters.
std::string Shortened(std::string text) {
  size_t limit = kShownBytes;
  if (text.size() <= limit) return text;
  constexpr unsigned char kContinuationMask = 0xc0;
  constexpr unsigned char kContinuation = 0x80;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) &
                       kContinuationMask) == kContinuation) {
    --limit;
  }
  return absl::StrCat(text.substr(0, limit), "...");
}

// A value as an error shows it: short, whatever it is.
std::string Shown(const Document& value) {
  return Shortened(
      value.dump(-1, ' ', false, Document::error_handler_t::replace));
}

bool IsText(const Document& value) {
  return value.is_string() && !value.get_ref<const std::string&>().empty();
}

}  // namespace

absl::Status Section::Error(std::string_view option,
                            std::string_view remedy) const {
  return absl::InvalidArgumentError(absl::StrCat(
      name_, " option \"", option,
      "\": ", Shown(document_.at(std::string(option))), " ", remedy));
}

absl::Status Section::Error(std::string_view problem) const {
  return absl::InvalidArgumentError(absl::StrCat(name_, ": ", problem));
}

absl::Status Section::CheckKeys(
    absl::Span<const std::string_view> known,
    absl::Span<const std::string_view> accepted) const {
  if (!document_.is_object()) {
    return Error(absl::StrCat(Shown(document_),
                              " is not a set of options; write \"option: "
                              "value\" lines"));
  }
  for (const auto& [key, value] : document_.items()) {
    if (absl::c_linear_search(known, key) ||
        absl::c_linear_search(accepted, key)) {
      continue;
    }
    const std::optional<std::string_view> nearest = NearestWord(key, known);
    return absl::InvalidArgumentError(absl::StrCat(
        name_, " option \"", Shortened(key), "\" is not known; ",
        nearest
            ? absl::StrCat("did you mean \"", *nearest, "\"?")
            : absl::StrCat("the options are ", absl::StrJoin(known, ", "))));
  }
  return absl::OkStatus();
}

const Document* Section::Find(std::string_view option) const {
  const auto found = document_.find(option);
  return found == document_.end() || found->is_null() ? nullptr : &*found;
}

absl::StatusOr<std::string> Section::String(std::string_view option,
                                            std::string_view remedy) const {
  const Document* value = Find(option);
  if (value == nullptr) return std::string();
  if (!IsText(*value)) return Error(option, remedy);
  return value->get<std::string>();
}

absl::StatusOr<std::vector<std::string>> Section::Strings(
    std::string_view option, std::string_view remedy) const {
  std::vector<std::string> strings;
  const Document* value = Find(option);
  if (value == nullptr) return strings;
  if (!value->is_array()) return Error(option, remedy);
  for (const Document& item : *value) {
    if (!IsText(item)) return Error(option, remedy);
    strings.push_back(item.get<std::string>());
  }
  return strings;
}

absl::StatusOr<bool> Section::Flag(std::string_view option, bool unset) const {
  const Document* value = Find(option);
  if (value == nullptr) return unset;
  if (!value->is_boolean()) {
    return Error(option,
                 "is neither true nor false; write one of them, without "
                 "quotes");
  }
  return value->get<bool>();
}

absl::StatusOr<int64_t> Section::Number(std::string_view option, int64_t unset,
                                        int64_t most,
                                        std::string_view remedy) const {
  const Document* value = Find(option);
  if (value == nullptr) return unset;
  int64_t number = 0;
  if (value->is_number_integer()) {
    number = value->get<int64_t>();
  } else if (!value->is_string() ||
             !absl::SimpleAtoi(value->get_ref<const std::string&>(), &number)) {
    return Error(option, remedy);
  }
  if (number <= 0 || number > most) return Error(option, remedy);
  return number;
}

absl::StatusOr<absl::Duration> Section::Seconds(std::string_view option,
                                                absl::Duration unset) const {
  const Document* value = Find(option);
  if (value == nullptr) return unset;
  if (!value->is_number() || !(value->get<double>() > 0) ||
      !std::isfinite(value->get<double>())) {
    return Error(option,
                 absl::StrCat("is not a number of seconds above zero; "
                              "write ",
                              option, ": ", absl::ToDoubleSeconds(unset)));
  }
  return absl::Seconds(value->get<double>());
}

}  // namespace pycheck

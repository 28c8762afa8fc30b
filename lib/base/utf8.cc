#include "lib/base/utf8.h"

#include <algorithm>
#include <cstddef>

#include "utf8proc.h"

namespace pycheck {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x80;
  });
}

}  // namespace

std::optional<char32_t> TakeCharacter(std::string_view& text) {
  utf8proc_int32_t character;
  const utf8proc_ssize_t length =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                       static_cast<utf8proc_ssize_t>(text.size()), &character);
  if (length <= 0) {
    text.remove_prefix(std::min(text.size(), size_t{1}));
    return std::nullopt;
  }
  text.remove_prefix(static_cast<size_t>(length));
  return static_cast<char32_t>(character);
}

std::string WithoutInvalidUtf8(std::string text) {
  if (IsAscii(text)) return text;
  std::string valid;
  valid.reserve(text.size());
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view before = rest;
    const bool is_valid = TakeCharacter(rest).has_value();
    valid.append(is_valid ? before.substr(0, before.size() - rest.size())
                          : kReplacement);
  }
  return valid;
}

}  // namespace pycheck

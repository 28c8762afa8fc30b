#include "lib/base/utf8.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace pycheck {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

bool IsIn(unsigned char byte, unsigned char least, unsigned char most) {
  return least <= byte && byte <= most;
}

// The length of the well-formed sequence at the start of a text that is not
// empty; 0 where there is none.
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i])
                           : static_cast<unsigned char>(0);
  };
  const auto continues = [&](size_t i) { return IsIn(byte(i), 0x80, 0xbf); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (IsIn(first, 0xc2, 0xdf)) return continues(1) ? 2 : 0;
  if (IsIn(first, 0xe0, 0xef)) {
    const unsigned char least = first == 0xe0 ? 0xa0 : 0x80;
    const unsigned char most = first == 0xed ? 0x9f : 0xbf;
    return IsIn(byte(1), least, most) && continues(2) ? 3 : 0;
  }
  if (IsIn(first, 0xf0, 0xf4)) {
    const unsigned char least = first == 0xf0 ? 0x90 : 0x80;
    const unsigned char most = first == 0xf4 ? 0x8f : 0xbf;
    return IsIn(byte(1), least, most) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x80;
  });
}

}  // namespace

std::string WithoutInvalidUtf8(std::string text) {
  if (IsAscii(text)) return text;
  std::string valid;
  valid.reserve(text.size());
  for (std::string_view rest = text; !rest.empty();) {
    const size_t length = SequenceLength(rest);
    valid.append(length > 0 ? rest.substr(0, length) : kReplacement);
    rest.remove_prefix(std::max(length, size_t{1}));
  }
  return valid;
}

}  // namespace pycheck

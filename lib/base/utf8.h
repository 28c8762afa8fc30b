#ifndef PYCHECK_LIB_BASE_UTF8_H_
#define PYCHECK_LIB_BASE_UTF8_H_

#include <optional>
#include <string>
#include <string_view>

namespace pycheck {

// Takes the first character from a text that is not empty: nothing, and one
// byte, where that does not begin a well-formed UTF-8 sequence (The Unicode
// Standard, table 3-7).
std::optional<char32_t> TakeCharacter(std::string_view& text);

// The text with U+FFFD in place of each byte that is not part of a well-formed
// UTF-8 sequence.
std::string WithoutInvalidUtf8(std::string text);

}  // namespace pycheck

#endif  // PYCHECK_LIB_BASE_UTF8_H_

#ifndef PYCHECK_LIB_BASE_UTF8_H_
#define PYCHECK_LIB_BASE_UTF8_H_

#include <string>

namespace pycheck {

// The text with U+FFFD in place of each byte that is not part of a well-formed
// UTF-8 sequence (The Unicode Standard, table 3-7).
std::string WithoutInvalidUtf8(std::string text);

}  // namespace pycheck

#endif  // PYCHECK_LIB_BASE_UTF8_H_

#ifndef PYCHECK_LIB_CONFIG_NEAREST_H_
#define PYCHECK_LIB_CONFIG_NEAREST_H_

#include <optional>
#include <string_view>

#include "absl/types/span.h"

namespace pycheck {

// The one of `known` that a person who wrote `word` most likely meant: that of
// the smallest Levenshtein distance, if that is at most a third of its length.
std::optional<std::string_view> NearestWord(
    std::string_view word, absl::Span<const std::string_view> known);

}  // namespace pycheck

#endif  // PYCHECK_LIB_CONFIG_NEAREST_H_

#ifndef PYCHECK_LIB_CONFIG_DOCUMENT_H_
#define PYCHECK_LIB_CONFIG_DOCUMENT_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace pycheck {

// A configuration as a tree of maps, lists and scalars.
using Document = nlohmann::json;

// Bounds of a document, YAML's aliases followed. Far above what a person
// writes, and so small that nothing in the Agent is slowed down by it.
inline constexpr size_t kMaxDocumentBytes = size_t{1} << 20;
inline constexpr int kMaxDocumentDepth = 32;
inline constexpr int kMaxDocumentNodes = 100'000;

// Parses the only document in a YAML text; an empty text is null. Plain scalars
// are null, boolean (yes, no, on and off too, as in PyYAML), decimal numbers or
// strings. kInvalidArgument says what is wrong and on which line.
absl::StatusOr<Document> ParseYaml(std::string_view text);

// The same for a JSON text.
absl::StatusOr<Document> ParseJson(std::string_view text);

}  // namespace pycheck

#endif  // PYCHECK_LIB_CONFIG_DOCUMENT_H_

#ifndef PYCHECK_LIB_SAMPLE_SERVICE_TAGS_H_
#define PYCHECK_LIB_SAMPLE_SERVICE_TAGS_H_

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "lib/process/environment.h"

namespace pycheck {

// The variables that ServiceTags knows.
inline constexpr std::array<std::string_view, 6> kServiceVariables = {
    "DD_SERVICE",        "DD_ENV",  "DD_VERSION",
    "OTEL_SERVICE_NAME", "DD_TAGS", "OTEL_RESOURCE_ATTRIBUTES"};

// The tags of an application as the tracer in it resolves them from its
// environment: service, env and version, then what else is in DD_TAGS, or where
// that is not set in OTEL_RESOURCE_ATTRIBUTES. Each key is there once. A
// service that the tracer would infer, or fall back to, is not.
std::vector<std::string> ServiceTags(const Variables& variables);

}  // namespace pycheck

#endif  // PYCHECK_LIB_SAMPLE_SERVICE_TAGS_H_

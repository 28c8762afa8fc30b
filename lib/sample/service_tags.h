#ifndef PYCHECK_LIB_SAMPLE_SERVICE_TAGS_H_
#define PYCHECK_LIB_SAMPLE_SERVICE_TAGS_H_

#include <optional>
#include <string>
#include <vector>

#include "lib/process/environment.h"
#include "lib/process/tracer.h"

namespace pycheck {

// The tags of an application as the tracer in it resolves them: service, env
// and version, then what else is in DD_TAGS, or where that is not set in
// OTEL_RESOURCE_ATTRIBUTES. Each key, as it is written, is there once, and
// there are at most 100. The first three are those that `tracer` says, where
// there is one that says them; else they come out of the environment, and a
// service that a tracer would infer is not among them.
std::vector<std::string> ServiceTags(const Variables& variables,
                                     const std::optional<Tracer>& tracer);

}  // namespace pycheck

#endif  // PYCHECK_LIB_SAMPLE_SERVICE_TAGS_H_

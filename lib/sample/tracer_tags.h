#ifndef PYCHECK_LIB_SAMPLE_TRACER_TAGS_H_
#define PYCHECK_LIB_SAMPLE_TRACER_TAGS_H_

#include <optional>
#include <string>
#include <vector>

#include "lib/process/environment.h"
#include "lib/process/tracer.h"

namespace pycheck {

// The tags of a process that say what its tracer does: tracer_loaded,
// tracing_enabled and profiling_enabled, each true or false. The last two are
// as its environment has a tracer of ddtrace-run's do, and false where none is
// loaded; what was turned on or off in code or by a file is not known.
std::vector<std::string> TracerTags(const Variables& variables,
                                    const std::optional<Tracer>& tracer);

}  // namespace pycheck

#endif  // PYCHECK_LIB_SAMPLE_TRACER_TAGS_H_

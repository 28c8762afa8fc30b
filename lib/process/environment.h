#ifndef PYCHECK_LIB_PROCESS_ENVIRONMENT_H_
#define PYCHECK_LIB_PROCESS_ENVIRONMENT_H_

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "lib/base/memory.h"
#include "lib/cpython/binary.h"
#include "lib/procfs/maps.h"
#include "lib/procfs/procfs.h"

namespace pycheck {

// Variables of a process's environment, by their names. An environment holds
// secrets: what was not asked for is not kept, nor part of any message. Of a
// name that stands there twice the first counts, as for getenv(3).
using Variables = absl::btree_map<std::string, std::string, std::less<>>;

// The only variables that are ever kept: what a tracer makes its tags of, and
// what turns its parts on and off.
inline constexpr std::array<std::string_view, 11> kVariables = {
    "DD_SERVICE",
    "DD_ENV",
    "DD_VERSION",
    "DD_TAGS",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "DD_RUNTIME_METRICS_ENABLED",
    "DD_TRACE_ENABLED",
    "OTEL_TRACES_EXPORTER",
    "DD_PROFILING_ENABLED",
    "DD_INJECTION_ENABLED"};

// Where the C library of a process keeps the pointer to its environment
// (environ(7)): in the program, if that uses the variable itself, else in the
// library. In a bounded number of reads, of which there are a few where
// `binaries` knows the images; it learns.
//   kFailedPrecondition  no image of the process exports it, or it leads
//                        nowhere yet
absl::StatusOr<uint64_t> FindEnviron(const Memory& memory,
                                     absl::Span<const MappedImage> images,
                                     Binaries& binaries);

// The variables with these names that the process has now, as `environ`, which
// is what FindEnviron gave, leads to them: what the process itself has set is
// among them, and a title that was written over the initial environment does
// not hide them. One that changes all the while is left out. In a bounded
// number of reads and bytes.
//   kFailedPrecondition  it does not lead to an environment, or to one that is
//                        longer than that
absl::StatusOr<Variables> ReadEnvironment(
    const Memory& memory, uint64_t environ,
    absl::Span<const std::string_view> names);

// The same of the environment that the process was started with: its
// /proc/PID/environ, proc_pid_environ(5). Needs the rights of a tracer.
absl::StatusOr<Variables> ReadInitialEnvironment(
    const Procfs& procfs, pid_t pid, absl::Span<const std::string_view> names);

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCESS_ENVIRONMENT_H_

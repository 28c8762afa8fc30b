#ifndef PYCHECK_LIB_PROCFS_CPU_CLOCK_H_
#define PYCHECK_LIB_PROCFS_CPU_CLOCK_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/status/statusor.h"

namespace pycheck {

// CPU time that all threads of a process have used, in nanoseconds, from its
// CPU clock (clock_getcpuclockid(3)). `pid` is one of the caller's own pid
// namespace. Needs no rights. kNotFound when there is no such process.
absl::StatusOr<int64_t> ProcessCpuNanoseconds(pid_t pid);

// Time since boot in nanoseconds, suspended time included: CLOCK_BOOTTIME, on
// which Stat::start_ticks counts too.
int64_t BootNanoseconds();

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCFS_CPU_CLOCK_H_

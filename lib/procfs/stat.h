#ifndef PYCHECK_LIB_PROCFS_STAT_H_
#define PYCHECK_LIB_PROCFS_STAT_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

namespace pycheck {

// /proc/PID/stat, proc_pid_stat(5). World-readable.
struct Stat {
  std::string_view comm;  // a view into the parsed text; at most 64 bytes
  char state;             // 'Z' and 'X' have ended
  uint64_t user_ticks;    // CPU time outside the kernel, all threads
  uint64_t system_ticks;  // CPU time in the kernel, all threads
  int64_t thread_count;
  uint64_t start_ticks;  // since boot; with the pid, identifies the process
  uint64_t start_stack;  // the main stack's address, another after an exec;
                         // 0 without the rights of a tracer
};

// Parses the file's text. comm may hold spaces and parentheses.
// kInvalidArgument when a field is missing or not a number.
absl::StatusOr<Stat> ParseStat(std::string_view text);

// Clock ticks per second, the unit of Stat's times: sysconf(_SC_CLK_TCK).
int64_t TicksPerSecond();

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCFS_STAT_H_

#ifndef PYCHECK_LIB_PROCFS_STAT_H_
#define PYCHECK_LIB_PROCFS_STAT_H_

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "lib/procfs/procfs.h"

namespace pycheck {

// /proc/PID/stat, proc_pid_stat(5). World-readable.
struct Stat {
  std::string_view comm;  // a view into the parsed text; at most 64 bytes
  char state;             // 'Z' and 'X' have ended
  pid_t parent;           // the parent process; 0: none in this pid namespace
  uint64_t user_ticks;    // CPU time outside the kernel, all threads
  uint64_t system_ticks;  // CPU time in the kernel, all threads
  int64_t thread_count;
  uint64_t start_ticks;  // since boot; with the pid, identifies the process
  uint64_t size_bytes;   // of the address space; 0 where there is none
  uint64_t start_stack;  // the main stack's address, another after an exec;
                         // 0 without the rights of a tracer
};

// Parses the file's text. comm may hold spaces and parentheses.
// kInvalidArgument when a field is missing or not a number.
absl::StatusOr<Stat> ParseStat(std::string_view text);

// Takes the text of the file: one line of numbers, and a comm of at most 64
// bytes.
inline constexpr size_t kMaxStat = 2048;
using StatBuffer = std::array<char, kMaxStat>;

// Reads it from an open descriptor, or of the process that has this pid now.
// The comm is a view into `buffer`.
absl::StatusOr<Stat> ReadStat(int fd, StatBuffer& buffer);
absl::StatusOr<Stat> ReadStat(const Procfs& procfs, pid_t pid,
                              StatBuffer& buffer);

// Whether the process has ended, and only waits for its parent to notice.
inline bool HasEnded(const Stat& stat) {
  return stat.state == 'Z' || stat.state == 'X';
}

// Clock ticks per second, the unit of Stat's times: sysconf(_SC_CLK_TCK).
int64_t TicksPerSecond();

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCFS_STAT_H_

#ifndef PYCHECK_LIB_PROCESS_READING_H_
#define PYCHECK_LIB_PROCESS_READING_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "lib/cpython/generations.h"
#include "lib/procfs/status.h"

namespace pycheck {

// What a process had used since it began, and what it has, at one moment. What
// could not be read is absent.
struct Reading {
  int64_t boot_ns = 0;  // the moment: nanoseconds since boot (CLOCK_BOOTTIME)
  uint64_t user_ticks = 0;                  // proc_pid_stat(5), utime
  uint64_t system_ticks = 0;                // proc_pid_stat(5), stime
  std::optional<int64_t> cpu_ns;            // the process's CPU clock
  std::optional<ContextSwitches> switches;  // of all its threads
  uint64_t resident_bytes = 0;              // proc_pid_statm(5), resident
  uint64_t size_pages = 0;                  // proc_pid_statm(5), size
  int64_t thread_count = 0;                 // proc_pid_stat(5), num_threads
  std::optional<GcCounts> gc_counts;        // the interpreter's memory
  pid_t parent = 0;                         // proc_pid_stat(5), ppid
  std::string comm;                         // proc_pid_stat(5), comm
  std::optional<uid_t> user;                // proc_pid_status(5), if asked for
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCESS_READING_H_

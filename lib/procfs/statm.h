#ifndef PYCHECK_LIB_PROCFS_STATM_H_
#define PYCHECK_LIB_PROCFS_STATM_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

namespace pycheck {

// /proc/PID/statm, proc_pid_statm(5). World-readable. All zero for a process
// without an address space: a kernel thread, or one that is ending.
struct Statm {
  uint64_t size_pages;
  uint64_t resident_pages;
};

// Parses the file's text; kInvalidArgument when it is malformed.
absl::StatusOr<Statm> ParseStatm(std::string_view text);

// Bytes in a page: sysconf(_SC_PAGESIZE).
uint64_t PageSize();

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCFS_STATM_H_

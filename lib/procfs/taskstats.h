#ifndef PYCHECK_LIB_PROCFS_TASKSTATS_H_
#define PYCHECK_LIB_PROCFS_TASKSTATS_H_

#include <sys/types.h>

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "lib/base/unique_fd.h"
#include "lib/procfs/status.h"

namespace pycheck {

// The kernel's per-task accounting, asked over generic netlink
// (Documentation/accounting/taskstats.rst). One query sums over all threads of
// a process, those that have ended included, which no file of /proc does.
// Not thread-safe: one query at a time.
class Taskstats {
 public:
  // Needs CAP_NET_ADMIN in the first user and pid namespace, else
  // kPermissionDenied or kInvalidArgument; other errors where the kernel was
  // built without it.
  static absl::StatusOr<Taskstats> Open();

  // The context switches of the thread group `pid`, which is one of the
  // caller's own pid namespace. kNotFound when there is no such process.
  absl::StatusOr<ContextSwitches> Query(pid_t pid);

 private:
  Taskstats(UniqueFd socket, uint16_t family)
      : socket_(std::move(socket)), family_(family) {}

  UniqueFd socket_;
  uint16_t family_;
  uint32_t sequence_ = 0;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCFS_TASKSTATS_H_

#ifndef PYCHECK_LIB_PROCFS_TASKSTATS_H_
#define PYCHECK_LIB_PROCFS_TASKSTATS_H_

#include <sys/types.h>

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "lib/base/unique_fd.h"
#include "lib/procfs/procfs.h"
#include "lib/procfs/status.h"

namespace pycheck {

// The kernel's per-task accounting, asked over generic netlink
// (Documentation/accounting/taskstats.rst): one query sums over all threads of
// a process. Not thread-safe: one query at a time.
//
// Newer kernels keep the counts of threads that have ended, which no file of
// /proc does. Older ones drop them, so that a difference of two
// sums would be false; they are not used. A sum may be too small by the few
// switches that a thread makes when it has nearly ended, and for that moment
// too large by the thread's own.
class Taskstats {
 public:
  // Needs CAP_NET_ADMIN in the first user and pid namespace, else
  // kPermissionDenied or kInvalidArgument; kFailedPrecondition when this
  // process does not prove that the kernel keeps the counts of ended threads:
  // its own sum has to be more than its living threads'. Other errors where the
  // kernel was built without it. `procfs` must have the caller's own pids.
  static absl::StatusOr<Taskstats> Open(const Procfs& procfs);

  // The context switches of the thread group `pid`, which is one of the
  // caller's own pid namespace. kNotFound when there is no such process.
  absl::StatusOr<ContextSwitches> Query(pid_t pid);

 private:
  Taskstats(UniqueFd socket, uint16_t family)
      : socket_(std::move(socket)), family_(family) {}

  absl::Status ProveItKeepsEndedThreads(const Procfs& procfs);

  UniqueFd socket_;
  uint16_t family_;
  uint32_t sequence_ = 0;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCFS_TASKSTATS_H_

#ifndef PYCHECK_LIB_PROCFS_THREAD_SWITCHES_H_
#define PYCHECK_LIB_PROCFS_THREAD_SWITCHES_H_

#include <sys/types.h>

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/procfs/procfs.h"
#include "lib/procfs/status.h"

namespace pycheck {

// The context switches of a process added up over its threads' status files:
// what is left where taskstats may not be used. A thread's file is gone with
// it, so what a thread did after the last reading before its end is missed;
// the total never goes back. Costs one file for each thread. Not thread-safe.
class ThreadSwitches {
 public:
  // The total so far, of the threads seen by this object's readings.
  //   kNotFound            the process has ended
  //   kResourceExhausted   it has more than kMaxThreads threads
  static constexpr int kMaxThreads = 10'000;
  absl::StatusOr<ContextSwitches> Read(const Procfs& procfs, pid_t pid);

 private:
  struct Thread {
    pid_t id;
    ContextSwitches switches;
  };

  absl::Status ReadThreads(const Procfs& procfs, pid_t pid);
  ContextSwitches Before(pid_t thread) const;

  ContextSwitches total_;
  std::vector<Thread> last_;  // by their ids
  // Kept from reading to reading for their memory alone.
  std::vector<pid_t> ids_;
  std::vector<Thread> now_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCFS_THREAD_SWITCHES_H_

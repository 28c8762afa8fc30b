#ifndef PYCHECK_LIB_PROCESS_PROCESS_H_
#define PYCHECK_LIB_PROCESS_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/unique_fd.h"
#include "lib/process/collector.h"
#include "lib/process/origin.h"
#include "lib/process/reading.h"
#include "lib/procfs/procfs.h"
#include "lib/procfs/stat.h"
#include "lib/procfs/taskstats.h"
#include "lib/procfs/thread_switches.h"

namespace pycheck {

// Where processes are read from.
struct Sources {
  const Procfs& procfs;
  // Null: context switches come from the threads' files. Its pids must be those
  // of `procfs`.
  Taskstats* taskstats;
  // What is known of the files that processes run; it learns.
  Binaries& binaries;
  bool user;  // whether a reading has it
  // Whether a tracer is looked for that says nothing of itself.
  bool silent_tracer;
};

// One process, with its files of /proc held open: a descriptor stays bound to
// the process it was opened for, so nothing here ever answers for a later
// process with the same pid. Files that are closed are opened again when it is
// read, and prove then that it still is the same. Not thread-safe.
class Process {
 public:
  //   kNotFound           there is no such process, or only what is left of one
  //   kResourceExhausted  there are no descriptors left at all
  static absl::StatusOr<Process> Open(const Procfs& procfs, pid_t pid);

  // Reads the process now.
  //   kNotFound            the process has ended, or has executed another
  //                        program: what was known of it no longer holds
  //   kFailedPrecondition  there is no Python in it, as far as is known: it is
  //                        looked for again at some of the next readings
  absl::StatusOr<Reading> Read(const Sources& sources);

  // The reading of a process that by its clock has not run since `last`, the
  // last one of it: what the kernel may change without its doing is read, and
  // all else is as it was. Nothing where it has run all the same: its size or
  // the number of its threads is another. (Some kernels forget what a thread
  // has used that ends.) The errors of Read.
  absl::StatusOr<std::optional<Reading>> ReadAtRest(const Procfs& procfs,
                                                    const Reading& last);

  // Closes its files until it is read again, and forgets where its collector
  // is.
  void Release();

  // Closes its files until it is read again where there is no room to hold them
  // open: a quarter of the descriptors that the Agent may have is left to the
  // rest of it. Forgets nothing.
  void CloseSpareFiles();

  bool is_closed() const { return !stat_.valid(); }

  // The process's name, as ReadProcessName gives it; kNotFound when it has
  // ended.
  absl::StatusOr<std::string> ReadName(const Procfs& procfs) const;

  // Whether it still is this process, and runs the same program: kNotFound
  // where not. Opens its files.
  absl::Status Reopen(const Procfs& procfs);

  // As of the last reading.
  const Origin& origin() const { return origin_; }

  pid_t pid() const { return pid_; }

  // When it began: clock ticks since boot, proc_pid_stat(5).
  uint64_t start_ticks() const { return start_ticks_; }

  // Why its last reading had no collector counts; OK when it had.
  const absl::Status& collector_status() const { return collector_.status(); }

  // The Python in it, while it is known.
  const std::optional<Interpreter>& interpreter() const {
    return collector_.interpreter();
  }

 private:
  explicit Process(pid_t pid) : pid_(pid) {}

  absl::StatusOr<Stat> OpenFiles(const Procfs& procfs);
  absl::StatusOr<ContextSwitches> ReadSwitches(const Sources& sources);

  pid_t pid_;
  uint64_t start_ticks_ = 0;
  uint64_t start_stack_ = 0;
  UniqueFd stat_;
  UniqueFd statm_;
  bool may_hold_files_ = false;  // as of when they were opened
  ThreadSwitches thread_switches_;
  Collector collector_;
  Origin origin_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCESS_PROCESS_H_

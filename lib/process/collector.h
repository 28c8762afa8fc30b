#ifndef PYCHECK_LIB_PROCESS_COLLECTOR_H_
#define PYCHECK_LIB_PROCESS_COLLECTOR_H_

#include <sys/types.h>

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/cpython/generations.h"
#include "lib/cpython/interpreter.h"
#include "lib/procfs/mem.h"
#include "lib/procfs/procfs.h"

namespace pycheck {

// The garbage collector of a process, followed from reading to reading: found
// at the first one, looked for again where it may still appear. Not
// thread-safe.
class Collector {
 public:
  // The collector's counts now. Errors, which status() keeps:
  //   kNotFound            the address space that was known has gone: the
  //                        process ended or has executed another program
  //   kPermissionDenied    its memory may not be read
  //   kFailedPrecondition  there is no Python in it
  //   kUnimplemented       a Python whose counts cannot be read yet
  //   kUnavailable         they could not be proven right just now
  absl::StatusOr<GcCounts> Read(const Procfs& procfs, pid_t pid);

  // What the last reading came to.
  const absl::Status& status() const { return status_; }

 private:
  absl::StatusOr<GcCounts> TryRead(const Procfs& procfs, pid_t pid);
  absl::Status Find(const Procfs& procfs, pid_t pid);

  absl::Status status_ =
      absl::UnavailableError("the collector has not been looked for yet");
  std::optional<ProcessMemory> memory_;
  std::optional<Interpreter> interpreter_;
  int readings_until_search_ = 0;
  int search_interval_ = 1;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCESS_COLLECTOR_H_

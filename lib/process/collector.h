#ifndef PYCHECK_LIB_PROCESS_COLLECTOR_H_
#define PYCHECK_LIB_PROCESS_COLLECTOR_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/cpython/binary.h"
#include "lib/cpython/generations.h"
#include "lib/cpython/interpreter.h"
#include "lib/procfs/maps.h"
#include "lib/procfs/mem.h"
#include "lib/procfs/procfs.h"

namespace pycheck {

// The garbage collector of a process, followed from reading to reading: found
// at the first one, looked for again where it may still appear. Not
// thread-safe.
class Collector {
 public:
  // The collector's counts now; nothing where the interpreter keeps none.
  // `size_pages` is the size of the address space: while it stays the same
  // nothing is loaded, and a process without Python costs nothing at most of
  // its readings. Errors, which status() keeps:
  //   kNotFound            the address space that was known has gone: the
  //                        process ended or has executed another program
  //   kPermissionDenied    its memory may not be read
  //   kFailedPrecondition  there is no Python in it
  //   kUnimplemented       a Python whose counts cannot be read yet
  //   kUnavailable         they could not be proven right just now
  //   kAborted             they changed all the while
  absl::StatusOr<std::optional<GcCounts>> Read(const Procfs& procfs, pid_t pid,
                                               uint64_t size_pages,
                                               Binaries& binaries);

  // Closes the process's memory until the next reading; the caller sees to it
  // that it is the same process's then.
  void Close() { memory_.reset(); }

  // Forgets what was found in it too.
  void Release();

  // What the last reading came to.
  const absl::Status& status() const { return status_; }

  // The process's memory, while it is held open; else null.
  const Memory* memory() const { return memory_ ? &*memory_ : nullptr; }

  // The process's images, if the last reading had to look through them; they
  // are handed over, as there are many.
  std::vector<MappedImage> TakeImages() { return std::exchange(images_, {}); }

  // The Python in the process, while it is known.
  const std::optional<Interpreter>& interpreter() const { return interpreter_; }

 private:
  absl::StatusOr<std::optional<GcCounts>> TryRead(const Procfs& procfs,
                                                  pid_t pid,
                                                  uint64_t size_pages,
                                                  Binaries& binaries);
  bool IsSearchDue(uint64_t size_pages);
  absl::Status OpenMemory(const Procfs& procfs, pid_t pid);
  absl::Status Find(const Procfs& procfs, pid_t pid, Binaries& binaries);

  absl::Status status_ =
      absl::UnavailableError("the collector has not been looked for yet");
  std::optional<ProcessMemory> memory_;
  std::vector<MappedImage> images_;
  std::optional<Interpreter> interpreter_;
  int searches_for_version_ = 0;

  // Of the search, while none is known.
  int readings_since_search_ = 0;
  int fruitless_searches_ = 0;
  uint64_t searched_size_pages_ = 0;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCESS_COLLECTOR_H_

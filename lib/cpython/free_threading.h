#ifndef PYCHECK_LIB_CPYTHON_FREE_THREADING_H_
#define PYCHECK_LIB_CPYTHON_FREE_THREADING_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "lib/base/memory.h"
#include "lib/cpython/generations.h"

namespace pycheck {

// Where a minor version keeps its generations when it is built free-threaded,
// counted in bytes. tools/layout prints a row from the headers of a build.
struct FreeThreadedLayout {
  uint8_t major;
  uint8_t minor;
  uint32_t generations;  // from the collector's state
};

// Every known layout, oldest version first.
absl::Span<const FreeThreadedLayout> KnownFreeThreadedLayouts();

// Where a free-threaded build keeps what gc.get_count() adds up. Such a
// collector keeps no lists (gc_free_threading.c).
struct FreeThreading {
  uint64_t threads_head;  // from the interpreter's state
  uint64_t generations;   // the same
  uint64_t alloc_count;   // from a thread's state
};

// Proves that the young generation is at `address`: it has a threshold and no
// list, and none such is before it.
//   kUnavailable  it is not
//   kNotFound     the address space has gone
absl::Status ProveYoungGeneration(const Memory& memory, uint64_t address);

// Finds where a thread's state has its own count, by the shape of what stands
// around it (struct _PyThreadStateImpl, pycore_tstate.h): before it a list node
// (mem_free_queue), behind it a pointer to one of the heaps that follow
// (mimalloc), each of which begins with a pointer to the thread's data behind
// them. Its place has changed between two releases of one minor version.
//   kUnavailable  the interpreter has no thread, or none of that shape
//   kNotFound     the address space has gone
absl::StatusOr<uint64_t> FindAllocCount(const Memory& memory,
                                        uint64_t interpreter,
                                        uint64_t threads_head);

// Reads the counts of a free-threaded interpreter: the young count, and what
// each thread has allocated since it last added its own to that. A thread does
// so every 512 objects, up or down (LOCAL_ALLOC_COUNT_THRESHOLD); in
// gc.get_count() the calling thread does, and the others do not.
//
// So with one thread the two are equal. With n threads that have counted, ours
// is the whole and gc.get_count()'s lacks up to 511 objects, more or less, of
// each thread but the one that asks. A thread that adds its count while it is
// read would be counted twice: all is read again until the young count is the
// same before and after. In a process so busy that it never is, ours may be
// off by up to 511 objects for each thread.
//
// It is its own proof: the threads' states lead back to the interpreter's, no
// thread's count is beyond what it may reach, and the generations have
// thresholds but no lists.
//   kUnavailable  what was read cannot be such a state, or never stood still
//   kNotFound     the address space has gone
absl::StatusOr<GcCounts> ReadFreeThreadedCounts(const Memory& memory,
                                                uint64_t interpreter,
                                                const FreeThreading& where);

}  // namespace pycheck

#endif  // PYCHECK_LIB_CPYTHON_FREE_THREADING_H_

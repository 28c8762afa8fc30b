#ifndef PYCHECK_LIB_CPYTHON_DEBUG_OFFSETS_H_
#define PYCHECK_LIB_CPYTHON_DEBUG_OFFSETS_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "lib/base/memory.h"

namespace pycheck {

// What a CPython from 3.13 on says of its own layout, at the beginning of its
// _PyRuntime (struct _Py_DebugOffsets, pycore_debug_offsets.h): as much of it
// as stands at the same place in every version. Counted in bytes.
struct DebugOffsets {
  uint32_t version_hex;  // PY_VERSION_HEX
  bool free_threaded;
  uint64_t interpreters_head;  // in _PyRuntime

  // In the state of an interpreter.
  uint64_t interpreter_size;
  uint64_t id;
  uint64_t next;
  uint64_t threads_head;
  uint64_t gc;
};

// "xdebugpy", by which they begin.
inline constexpr uint64_t kDebugOffsetsCookie = 0x7970677562656478;

// Reads those of the _PyRuntime at `address`. They are hostile: every offset
// lies within the size that is given with it, and no size is above 64 MiB.
//   kFailedPrecondition  there are none, as before 3.13
//   kInvalidArgument     they contradict themselves
//   kNotFound            the address space has gone
absl::StatusOr<DebugOffsets> ReadDebugOffsets(const Memory& memory,
                                              uint64_t address);

// The state of the main interpreter, the one with the id 0, by the list of all.
//   kUnavailable  there is none: not initialised, or not any more
//   kNotFound     the address space has gone
absl::StatusOr<uint64_t> FindMainInterpreter(const Memory& memory,
                                             uint64_t runtime,
                                             const DebugOffsets& offsets);

}  // namespace pycheck

#endif  // PYCHECK_LIB_CPYTHON_DEBUG_OFFSETS_H_

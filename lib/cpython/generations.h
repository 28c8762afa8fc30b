#ifndef PYCHECK_LIB_CPYTHON_GENERATIONS_H_
#define PYCHECK_LIB_CPYTHON_GENERATIONS_H_

#include <array>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/memory.h"
#include "lib/cpython/layout.h"

namespace pycheck {

inline constexpr int kGenerations = 3;

// What gc.get_count() returns, youngest generation first.
using GcCounts = std::array<int32_t, kGenerations>;

// Proves that three consecutive generations of a collector stand at `address`:
// in each, the object after the list's head points back to the head, and the
// one before it points forward to it (pycore_gc.h, gcmodule.c). The low two
// bits of a link are flags.
//
// The process goes on running. While it collects a generation the links of that
// one are used for something else: first the backward links hold the objects'
// reference counts (update_refs), later unreachable objects are taken out of
// the list, its last perhaps (move_unreachable). Of the six ends one may be
// loose therefore. Between two reads the lists may change altogether, so a
// failed proof is tried again, at most kProofAttempts times in all.
//   kUnavailable  it never held
//   kNotFound     the address space has gone
inline constexpr int kProofAttempts = 50;
absl::Status ProveGenerations(const Memory& memory, uint64_t address,
                              const Layout& layout);

// Reads the counts of the generations at `address` in one read.
//   kUnavailable  what was read cannot be a collector's generations
//   kNotFound     the address space has gone
absl::StatusOr<GcCounts> ReadGcCounts(const Memory& memory, uint64_t address,
                                      const Layout& layout);

}  // namespace pycheck

#endif  // PYCHECK_LIB_CPYTHON_GENERATIONS_H_

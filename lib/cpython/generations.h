#ifndef PYCHECK_LIB_CPYTHON_GENERATIONS_H_
#define PYCHECK_LIB_CPYTHON_GENERATIONS_H_

#include <array>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/memory.h"

namespace pycheck {

inline constexpr int kGenerations = 3;

// What gc.get_count() returns, youngest generation first.
using GcCounts = std::array<int32_t, kGenerations>;

// The shape of struct gc_generation, of which a collector has three in a row,
// in bytes. It begins with a list's head, {next, prev}; its count follows its
// threshold.
struct GenerationShape {
  uint64_t size;
  uint64_t threshold;

  // In the incremental collector of 3.14.0 to 3.14.4: from the young
  // generation to `visited_space`, which tells which of the two old ones comes
  // first. 0 in all others.
  uint64_t visited_space = 0;

  friend bool operator==(const GenerationShape&,
                         const GenerationShape&) = default;
};

// All there have been (objimpl.h, pycore_gc.h, pycore_interp_structs.h).
inline constexpr GenerationShape kPaddedShape{.size = 48, .threshold = 32};
inline constexpr GenerationShape kPython2Shape{.size = 40, .threshold = 32};
inline constexpr GenerationShape kShape{.size = 24, .threshold = 16};
inline constexpr GenerationShape kIncrementalShape{
    .size = 24, .threshold = 16, .visited_space = 208};

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
                              const GenerationShape& shape);

// Whether a list, empty perhaps, has its head at `address`, its links in place
// at one end at least.
absl::StatusOr<bool> IsListHead(const Memory& memory, uint64_t address);

// Whether the three lists at `address`, which were proven, are all empty, and
// gc.freeze() has not emptied them into a fourth, the permanent generation: so
// they are only before an interpreter is initialised.
//   kUnavailable  what was read cannot be a collector's generations
//   kNotFound     the address space has gone
absl::StatusOr<bool> AreEmpty(const Memory& memory, uint64_t address,
                              const GenerationShape& shape);

// Reads the counts of the generations at `address`.
//
// One read takes them one after the other while the process goes on. A
// collection that begins in between adds one to the count above those it
// collects and then sets these to 0 (collect, gc_collect_main), so that one
// read may hold the young count from before it with the older ones from after
// it. Therefore they are read twice, and what the second read gave counts when
// no older generation's count differs from the first's: then no collection has
// begun from the moment at which the first read had passed the young count, and
// the second's young count was taken while the older ones were what they are.
// (That they came round to the same values meanwhile would take more
// collections than there is time for between two reads.) Else both are read
// again, at most kProofAttempts times. What cannot be told apart is a process
// that lost the processor between the collection's two steps: it shows the
// older count raised and the younger ones not yet 0, as its memory is then.
//   kUnavailable  what was read cannot be a collector's generations
//   kAborted      they never stood still
//   kNotFound     the address space has gone
absl::StatusOr<GcCounts> ReadGcCounts(const Memory& memory, uint64_t address,
                                      const GenerationShape& shape);

}  // namespace pycheck

#endif  // PYCHECK_LIB_CPYTHON_GENERATIONS_H_

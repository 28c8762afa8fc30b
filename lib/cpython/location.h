#ifndef PYCHECK_LIB_CPYTHON_LOCATION_H_
#define PYCHECK_LIB_CPYTHON_LOCATION_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "lib/base/memory.h"
#include "lib/cpython/free_threading.h"
#include "lib/cpython/generations.h"

namespace pycheck {

// How a collector's state was found.
enum class Discovery {
  kLayout,        // by a symbol and the layout of the version
  kDebugOffsets,  // by what the interpreter says of its own layout
  kStructure,     // by its shape
};
std::string_view ToString(Discovery discovery);

// Where a CPython keeps its collector's generations, counted from the image
// that holds it, so that it is the same in every process that runs the image.
struct Location {
  Discovery discovery;

  // From the image's base to the pointer to the main interpreter's state. It
  // is null before that is initialised, and after it was finalised.
  uint64_t interpreter;

  // To the generations: from that state, or from the image's base.
  bool in_interpreter;
  uint64_t generations;
  GenerationShape shape;

  // Only in a free-threaded build.
  std::optional<FreeThreading> free_threading = std::nullopt;

  // Of 2.7 and 3.6, where the pointer may be anybody's, and stay when the
  // interpreter has gone.
  bool before37 = false;
};

// The same in one process.
struct CollectorState {
  uint64_t interpreter_pointer;
  uint64_t interpreter;
  uint64_t generations;
  GenerationShape shape;
  std::optional<FreeThreading> free_threading;
  bool before37;
};

// Goes to a location in the process that has its image at `base`, and proves
// that a living collector is there.
//   kUnavailable  none is: not initialised yet, finalised, or another place
//   kNotFound     the address space has gone
absl::StatusOr<CollectorState> Locate(const Memory& memory, uint64_t base,
                                      const Location& location);

// The main interpreter's state, by the pointer at `address`.
//   kUnavailable, kNotFound  as Locate
absl::StatusOr<uint64_t> ReadInterpreterPointer(const Memory& memory,
                                                uint64_t address);

}  // namespace pycheck

#endif  // PYCHECK_LIB_CPYTHON_LOCATION_H_

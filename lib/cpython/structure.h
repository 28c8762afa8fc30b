#ifndef PYCHECK_LIB_CPYTHON_STRUCTURE_H_
#define PYCHECK_LIB_CPYTHON_STRUCTURE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/memory.h"
#include "lib/cpython/generations.h"
#include "lib/cpython/location.h"
#include "lib/cpython/snapshot.h"
#include "lib/elf/image.h"

namespace pycheck {

// The writable data of an image, at the most kMaxImageData bytes of it: first
// what the file gives nothing for, where the interpreter's own pointers are.
inline constexpr uint64_t kMaxImageData = uint64_t{32} << 20;
absl::StatusOr<std::vector<Snapshot>> TakeDataSnapshots(const Memory& memory,
                                                        const Image& image);

// Where a _PyRuntime with debug offsets begins; 0 where none does.
uint64_t FindDebugOffsets(const std::vector<Snapshot>& data);

// Generations that were proven.
struct FoundGenerations {
  uint64_t address;
  GenerationShape shape;
};

// Finds the first collector's generations in a snapshot, by their shape: three
// list heads in a row, each with a threshold and a count, and not all of them
// empty. `image` is where no object of a list can be.
//   kUnavailable  there are none, or none that could be proven
//   kNotFound     the address space has gone
absl::StatusOr<FoundGenerations> FindGenerations(const Memory& memory,
                                                 const Snapshot& snapshot,
                                                 const Image& image);

// Whether an interpreter's state of before 3.11 is at `address`: {next,
// threads}, with a first thread that leads back to it.
//   kNotFound  the address space has gone
absl::StatusOr<bool> IsHeapInterpreter(const Memory& memory, uint64_t address);

// Finds a static pointer to an interpreter's state of before 3.7, by a thread's
// state that leads back to that. Gives where the pointer is.
//   kUnavailable  there is none, as before it is initialised
//   kNotFound     the address space has gone
absl::StatusOr<uint64_t> FindInterpreterPointer(const Memory& memory,
                                                const Snapshot& snapshot,
                                                const Image& image);

// Finds a collector that is nowhere described, through nothing but the shape of
// what belongs to it: its generations in the image's data or in the
// interpreter's state, and the pointer to that state. That pointer is known by
// what stands beside it (the list of interpreters, and the id that the next one
// will have: struct pyinterpreters, 3.7 and later), or as
// FindInterpreterPointer does. Not for free-threaded builds.
//   kUnavailable  there is none, as before it is initialised
//   kNotFound     the address space has gone
absl::StatusOr<Location> FindByStructure(const Memory& memory,
                                         const Image& image,
                                         const std::vector<Snapshot>& data);

}  // namespace pycheck

#endif  // PYCHECK_LIB_CPYTHON_STRUCTURE_H_

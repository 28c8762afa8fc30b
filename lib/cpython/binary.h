#ifndef PYCHECK_LIB_CPYTHON_BINARY_H_
#define PYCHECK_LIB_CPYTHON_BINARY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "lib/base/memory.h"
#include "lib/cpython/location.h"
#include "lib/elf/image.h"
#include "lib/procfs/maps.h"

namespace pycheck {

enum class Implementation { kNone, kCPython, kPyPy };

// What is known of a file that processes run: what its symbols say, which is
// the same in each of them, and what was found out in the first.
struct Binary {
  Implementation implementation = Implementation::kNone;

  // The symbol _PyRuntime, counted from the image's base; only from 3.7 on.
  struct Runtime {
    uint64_t offset;
    uint64_t size;
  };
  std::optional<Runtime> runtime;

  // Before: a pointer to the young generation, and what stands beside the
  // pointer to the interpreters, which is no symbol (pystate.c).
  struct Before37 {
    uint64_t generation0;     // _PyGC_generation0
    uint64_t current_thread;  // _PyThreadState_Current
  };
  std::optional<Before37> before37;

  // PY_VERSION_HEX, which is exported from 3.11 on.
  std::optional<uint32_t> version_hex;

  // Found in a process in which the interpreter was initialised.
  std::string version;  // as platform.python_version() gives it; may be empty
  std::optional<Location> location;
};

// Looks an image's symbols up.
//   kInvalidArgument  it has none, or its tables contradict themselves, as
//                     those of an image may that the loader is still mapping
//   kNotFound         the address space has gone
absl::StatusOr<Binary> LookInto(const Memory& memory, const Image& image);

// The binaries that are known, so that what was learned in one process serves
// every other that runs the same file. Not thread-safe.
class Binaries {
 public:
  // The known binary of an image, or null. Valid until the next Add.
  Binary* Find(const MappedImage& mapped, const Image& image);

  // Replaces what was known. Keeps at most kMaxBinaries.
  void Add(const MappedImage& mapped, const Image& image, Binary binary);

  // Where an image has the variable environ (environ(7)), counted from its
  // base; nothing where it has none. Looked up once for each file; nothing
  // proves it later, so for a file that agrees in its key with another it may
  // lead nowhere.
  std::optional<uint64_t> FindEnviron(const Memory& memory,
                                      const MappedImage& mapped,
                                      const Image& image);

  size_t size() const { return binaries_.size(); }

 private:
  static constexpr size_t kMaxBinaries = 4096;

  // Device, inode, and the fingerprint for a file that was written to in
  // place. Should two files agree in all three, what is known of the one does
  // not prove itself in the other.
  using Key = std::tuple<std::string, uint64_t, uint64_t>;
  static Key KeyOf(const MappedImage& mapped, const Image& image);

  absl::flat_hash_map<Key, Binary> binaries_;
  absl::flat_hash_map<Key, std::optional<uint64_t>> environs_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_CPYTHON_BINARY_H_

#ifndef PYCHECK_LIB_BASE_MEMORY_H_
#define PYCHECK_LIB_BASE_MEMORY_H_

#include <cstdint>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace pycheck {

// The address space of another process. What it holds is hostile: it may
// change between two reads, and an address taken from it may be anything.
class Memory {
 public:
  virtual ~Memory() = default;

  // Fills `out` with the bytes at `address`, all or none.
  //   kNotFound    the address space has gone: the process ended or exec'd
  //   kOutOfRange  not all of these bytes are mapped and readable
  virtual absl::Status Read(uint64_t address, absl::Span<char> out) const = 0;

  // Reads one object of a trivial type.
  template <typename T>
  absl::StatusOr<T> Read(uint64_t address) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    absl::Status status = Read(
        address, absl::MakeSpan(reinterpret_cast<char*>(&value), sizeof(T)));
    if (!status.ok()) return status;
    return value;
  }
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_BASE_MEMORY_H_

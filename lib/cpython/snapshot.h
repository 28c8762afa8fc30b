#ifndef PYCHECK_LIB_CPYTHON_SNAPSHOT_H_
#define PYCHECK_LIB_CPYTHON_SNAPSHOT_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/memory.h"

namespace pycheck {

// Some of a process's memory, as it was when it was read: words of 64 bits from
// `begin` on, with zeros where nothing could be read.
struct Snapshot {
  uint64_t begin;
  std::vector<uint64_t> words;
};

// kNotFound when the address space has gone.
absl::StatusOr<Snapshot> TakeSnapshot(const Memory& memory, uint64_t begin,
                                      uint64_t end);

}  // namespace pycheck

#endif  // PYCHECK_LIB_CPYTHON_SNAPSHOT_H_

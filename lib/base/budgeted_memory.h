#ifndef PYCHECK_LIB_BASE_BUDGETED_MEMORY_H_
#define PYCHECK_LIB_BASE_BUDGETED_MEMORY_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "lib/base/memory.h"

namespace pycheck {

// A memory that stops answering, with kOutOfRange, after so many reads or
// bytes, so that no process can hold a search up by what is in it.
class BudgetedMemory : public Memory {
 public:
  using Memory::Read;

  // `memory` must outlive it.
  BudgetedMemory(const Memory& memory, int reads, int64_t bytes)
      : memory_(memory), reads_(reads), bytes_(bytes) {}

  absl::Status Read(uint64_t address, absl::Span<char> out) const override {
    if (IsSpent()) return absl::OutOfRangeError("too much to read");
    --reads_;
    bytes_ -= static_cast<int64_t>(out.size());
    return memory_.Read(address, out);
  }

  bool IsSpent() const { return reads_ <= 0 || bytes_ <= 0; }

 private:
  const Memory& memory_;
  mutable int reads_;
  mutable int64_t bytes_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_BASE_BUDGETED_MEMORY_H_

#ifndef PYCHECK_LIB_PROCFS_MEM_H_
#define PYCHECK_LIB_PROCFS_MEM_H_

#include <cstdint>
#include <utility>

#include "lib/base/memory.h"
#include "lib/base/unique_fd.h"

namespace pycheck {

// Reads a process's memory through its /proc/PID/mem, proc_pid_mem(5). The
// process is not stopped. An open descriptor stays bound to the address space
// that the process had then: after an exec nothing can be read through it,
// unless another process shares that address space.
class ProcessMemory : public Memory {
 public:
  using Memory::Read;

  explicit ProcessMemory(UniqueFd mem) : mem_(std::move(mem)) {}

  absl::Status Read(uint64_t address, absl::Span<char> out) const override;

 private:
  UniqueFd mem_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCFS_MEM_H_

#ifndef PYCHECK_TESTS_TESTING_PROCESS_MEMORY_H_
#define PYCHECK_TESTS_TESTING_PROCESS_MEMORY_H_

#include <sys/types.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/procfs/maps.h"
#include "lib/procfs/mem.h"

namespace pycheck {

// The images of a live process.
inline std::vector<MappedImage> Images(pid_t pid) {
  const absl::StatusOr<UniqueFd> maps =
      OpenFile(absl::StrCat("/proc/", pid, "/maps"));
  return *ReadMappedImages(maps->get());
}

// Its memory.
inline ProcessMemory MemoryOf(pid_t pid) {
  return ProcessMemory(*OpenFile(absl::StrCat("/proc/", pid, "/mem")));
}

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_PROCESS_MEMORY_H_

#ifndef PYCHECK_LIB_PROCFS_DESCRIPTORS_H_
#define PYCHECK_LIB_PROCFS_DESCRIPTORS_H_

#include <sys/types.h>

#include <cstddef>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/unique_fd.h"
#include "lib/procfs/procfs.h"

namespace pycheck {

// How many of a process's descriptors are looked at, the lowest first.
inline constexpr int kMaxDescriptors = 1024;

// How many files of one process are opened.
inline constexpr size_t kMaxMemoryFiles = 4;

// Opens those of a process's descriptors that are files in memory,
// memfd_create(2), with a name that begins so; the first kMaxMemoryFiles. What
// only has such a name is not opened, nor is anybody asked about it: a link of
// proc_pid_fd(5) says what the process likes, and behind it may be a device, or
// a file system that does not answer. Needs the rights of a tracer.
//   kNotFound            the process has ended
//   kPermissionDenied    it may not be looked into
//   kFailedPrecondition  the kernel has no statx(2): Linux before 4.11
absl::StatusOr<std::vector<UniqueFd>> OpenMemoryFiles(const Procfs& procfs,
                                                      pid_t pid,
                                                      std::string_view name);

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCFS_DESCRIPTORS_H_

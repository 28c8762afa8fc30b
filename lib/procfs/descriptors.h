#ifndef PYCHECK_LIB_PROCFS_DESCRIPTORS_H_
#define PYCHECK_LIB_PROCFS_DESCRIPTORS_H_

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/procfs/procfs.h"

namespace pycheck {

// How many of a process's descriptors are looked at, the lowest first.
inline constexpr int kMaxDescriptors = 1024;

// The paths /proc/PID/fd/N of those descriptors of a process whose links,
// proc_pid_fd(5), begin with `target`, such as "/memfd:name". Needs the rights
// of a tracer.
//   kNotFound          the process has ended
//   kPermissionDenied  it may not be looked into
absl::StatusOr<std::vector<std::string>> FindDescriptors(
    const Procfs& procfs, pid_t pid, std::string_view target);

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCFS_DESCRIPTORS_H_

#ifndef PYCHECK_LIB_PROCFS_CGROUP_H_
#define PYCHECK_LIB_PROCFS_CGROUP_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "lib/procfs/procfs.h"

namespace pycheck {

// /proc/PID/cgroup, cgroups(7): a line "id:controllers:path" for each
// hierarchy, one for all where there is only cgroup v2. World-readable. A path
// is relative to the reader's cgroup namespace.
absl::StatusOr<std::string> ReadCgroups(const Procfs& procfs, pid_t pid);

// Whether a process with this text runs in a unit of the machine's systemd,
// such as "app.service", or in a cgroup that the unit made for itself. A unit
// of the same name of a user's systemd, or of one in a container, is another.
bool IsInUnit(std::string_view text, std::string_view unit);

// The id of the innermost container: the 64 hexadecimal digits that container
// runtimes put into the last part of the path that has any ("<id>",
// "docker-<id>.scope", "cri-containerd-<id>.scope", "crio-<id>.scope",
// "libpod-<id>.scope"); nothing outside of a container.
std::optional<std::string_view> FindContainerId(std::string_view text);

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCFS_CGROUP_H_

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

// Whether a process with this text runs in the Kubernetes pod with this uid,
// such as "2d3da189-6407-48e3-9ab6-78188d75e609": in any of its containers.
bool IsInPod(std::string_view text, std::string_view uid);

// The id of the innermost container, which its runtime puts into the path; of
// the forms that the Agent knows:
//   64 hexadecimal digits        Docker, containerd, CRI-O, Podman, and ECS
//   32 of them, "-" and digits   a task of ECS, on Fargate
//   8-4-4-4-12 or 8-4-4-4-4      a UUID, on Fargate, or of Garden
// Nothing outside of a container. The monitor that a runtime has for a
// container (conmon) is not in it.
std::optional<std::string_view> FindContainerId(std::string_view text);

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCFS_CGROUP_H_

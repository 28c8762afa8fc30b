#include "lib/process/origin.h"

#include <utility>

#include "lib/procfs/cgroup.h"

namespace pycheck {

void Origin::Update(const Procfs& procfs, pid_t pid, uint64_t size_pages,
                    const Memory* memory, absl::Span<const MappedImage> images,
                    Binaries& binaries, bool silent_tracer) {
  if (!is_settled()) {
    ++version_;
    const absl::StatusOr<Variables> variables =
        ReadVariables(procfs, pid, memory, images, binaries);
    is_open_ = variables.ok();
    if (is_open_) environment_ = *variables;
    const absl::StatusOr<std::string> cgroups = ReadCgroups(procfs, pid);
    if (cgroups.ok()) container_id_ = FindContainerId(*cgroups).value_or("");
    // Where there was no descriptor left, nothing was looked at.
    if (!absl::IsResourceExhausted(variables.status()) &&
        !absl::IsResourceExhausted(cgroups.status())) {
      ++readings_;
    }
  }
  const bool was_open = is_open();
  if (search_.Update(procfs, pid, size_pages, environment_, silent_tracer) ||
      is_open() != was_open) {
    ++version_;
  }
}

// What it was started with is what is left where the memory says nothing.
absl::StatusOr<Variables> Origin::ReadVariables(
    const Procfs& procfs, pid_t pid, const Memory* memory,
    absl::Span<const MappedImage> images, Binaries& binaries) {
  if (memory != nullptr && !environ_) {
    const absl::StatusOr<uint64_t> found =
        FindEnviron(*memory, images, binaries);
    if (found.ok()) environ_ = *found;
  }
  if (memory != nullptr && environ_) {
    absl::StatusOr<Variables> variables =
        ReadEnvironment(*memory, *environ_, kVariables);
    if (variables.ok()) return variables;
  }
  return ReadInitialEnvironment(procfs, pid, kVariables);
}

}  // namespace pycheck

#ifndef PYCHECK_LIB_PROCFS_STATUS_H_
#define PYCHECK_LIB_PROCFS_STATUS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"

namespace pycheck {

struct ContextSwitches {
  uint64_t voluntary = 0;
  uint64_t involuntary = 0;
};

// So much of the file has all of the process's own ids in it. Those of its
// groups, which there may be 65,536 of, come after them.
inline constexpr size_t kStatusIds = 1024;

// The value of the line `name:` of a /proc/PID/status, proc_pid_status(5),
// without surrounding blanks; nothing when there is no such line.
std::optional<std::string_view> FindStatusField(std::string_view text,
                                                std::string_view name);

// The context switches of one thread out of its /proc/PID/task/TID/status;
// kInvalidArgument when they are missing. (The status of a thread group has
// those of its main thread only.)
absl::StatusOr<ContextSwitches> ParseThreadContextSwitches(
    std::string_view text);

// The real user id; kInvalidArgument when it is missing.
absl::StatusOr<uid_t> ParseRealUser(std::string_view text);

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCFS_STATUS_H_

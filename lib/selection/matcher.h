#ifndef PYCHECK_LIB_SELECTION_MATCHER_H_
#define PYCHECK_LIB_SELECTION_MATCHER_H_

#include <sys/types.h>

#include <optional>

#include "absl/status/statusor.h"
#include "lib/config/criteria.h"
#include "lib/procfs/procfs.h"

namespace pycheck {

// What criteria say of one process now.
struct Verdict {
  bool selected = false;  // by the selector
  bool kept = false;      // of the right user, and not excluded
};

// Holds processes up against the criteria of an instance, one at a time, by
// their own files. Only what a verdict depends on is read.
class Matcher {
 public:
  explicit Matcher(Criteria criteria);

  const Criteria& criteria() const { return criteria_; }

  // To be called at the start of each run: finds the user by its name, which it
  // keeps, and reads the pid file. The errors of ReadPidFile; kNotFound when
  // there is no such user.
  absl::Status Prepare();

  // The pid that the criteria name, where they name one. After Prepare.
  std::optional<pid_t> pid() const { return pid_; }

  // The verdict on a process. `kept` is only known where it matters: for one
  // that is selected, or may be by descent. An error means that its files could
  // not be read:
  //   kNotFound           it has ended
  //   kPermissionDenied   procfs hides them
  //   kResourceExhausted  there are no descriptors left
  absl::StatusOr<Verdict> Judge(const Procfs& procfs, pid_t pid) const;

 private:
  absl::StatusOr<bool> IsKept(const Procfs& procfs, pid_t pid) const;

  Criteria criteria_;
  std::optional<pid_t> pid_;
  std::optional<uid_t> user_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_SELECTION_MATCHER_H_

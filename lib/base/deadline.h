#ifndef PYCHECK_LIB_BASE_DEADLINE_H_
#define PYCHECK_LIB_BASE_DEADLINE_H_

#include <ctime>

#include "absl/time/time.h"

namespace pycheck {

// The time of a clock that never goes back, and that stands still while the
// machine sleeps.
inline absl::Duration MonotonicTime() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

// The moment until which work may take.
class Deadline {
 public:
  explicit Deadline(absl::Duration from_now)
      : moment_(MonotonicTime() + from_now) {}

  bool HasPassed() const { return MonotonicTime() >= moment_; }

 private:
  absl::Duration moment_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_BASE_DEADLINE_H_

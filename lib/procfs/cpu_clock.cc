#include "lib/procfs/cpu_clock.h"

#include <cerrno>
#include <ctime>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace pycheck {
namespace {

int64_t ToNanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

absl::StatusOr<int64_t> ProcessCpuNanoseconds(pid_t pid) {
  clockid_t clock;
  timespec time;
  // clock_getcpuclockid returns its error; a process that has gone between the
  // two calls makes the clock invalid.
  if (clock_getcpuclockid(pid, &clock) != 0 ||
      clock_gettime(clock, &time) != 0) {
    return absl::NotFoundError(absl::StrCat("no CPU clock of pid ", pid));
  }
  return ToNanoseconds(time);
}

int64_t BootNanoseconds() {
  timespec time;
  clock_gettime(CLOCK_BOOTTIME, &time);
  return ToNanoseconds(time);
}

}  // namespace pycheck

#include "lib/procfs/cpu_clock.h"

#include <ctime>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace pycheck {
namespace {

int64_t ToNanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// What clock_getcpuclockid(3) gives, which asks the kernel whether there is
// such a process, and so does reading the clock. The kernel's interface: the
// pid's complement, above the bits of a process's clock that counts scheduled
// time.
clockid_t ClockOf(pid_t pid) {
  constexpr clockid_t kScheduledTime = 2;
  return static_cast<clockid_t>(~static_cast<uint32_t>(pid) << 3U) |
         kScheduledTime;
}

}  // namespace

absl::StatusOr<int64_t> ProcessCpuNanoseconds(pid_t pid) {
  timespec time;
  if (clock_gettime(ClockOf(pid), &time) != 0) {
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

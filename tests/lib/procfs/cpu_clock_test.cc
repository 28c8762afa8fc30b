#include "lib/procfs/cpu_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <ctime>
#include <thread>

#include "tests/testing/child_process.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

int64_t Now(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Uses 20 ms of the calling thread's CPU time.
void Work() {
  const int64_t end = Now(CLOCK_THREAD_CPUTIME_ID) + 20'000'000;
  while (Now(CLOCK_THREAD_CPUTIME_ID) < end) {
  }
}

TEST(ProcessCpuNanoseconds, IsTheProcessesOwnClock) {
  const int64_t before = Now(CLOCK_PROCESS_CPUTIME_ID);
  const absl::StatusOr<int64_t> read = ProcessCpuNanoseconds(getpid());
  const int64_t after = Now(CLOCK_PROCESS_CPUTIME_ID);
  ASSERT_THAT(read, IsOk());
  EXPECT_GE(*read, before);
  EXPECT_LE(*read, after);
}

TEST(ProcessCpuNanoseconds, ReadsTheClockThatTheCLibraryNames) {
  const ChildProcess child(TellAndWait);
  AwaitRest(child.pid());
  clockid_t clock;
  ASSERT_EQ(clock_getcpuclockid(child.pid(), &clock), 0);
  EXPECT_THAT(ProcessCpuNanoseconds(child.pid()), IsOkAndHolds(Now(clock)));
}

TEST(ProcessCpuNanoseconds, CountsAllThreadsAndThoseThatEnded) {
  const absl::StatusOr<int64_t> before = ProcessCpuNanoseconds(getpid());
  std::thread first(Work);
  std::thread second(Work);
  first.join();
  second.join();
  const absl::StatusOr<int64_t> after = ProcessCpuNanoseconds(getpid());
  ASSERT_THAT(after, IsOk());
  EXPECT_GE(*after - *before, 40'000'000);
}

TEST(ProcessCpuNanoseconds, ReadsAnotherProcess) {
  const ChildProcess child([](const Channel& channel) {
    TellAndWait(channel);
    Work();
    TellAndWait(channel);
  });
  const absl::StatusOr<int64_t> before = ProcessCpuNanoseconds(child.pid());
  ASSERT_THAT(before, IsOk());
  child.channel().Tell();
  ASSERT_TRUE(child.channel().Await());
  EXPECT_GE(*ProcessCpuNanoseconds(child.pid()) - *before, 20'000'000);
}

TEST(ProcessCpuNanoseconds, FindsNoProcessThatWasReaped) {
  ChildProcess child(TellAndWait);
  const pid_t pid = child.pid();
  child.Reap();
  EXPECT_THAT(ProcessCpuNanoseconds(pid), HasCode(absl::StatusCode::kNotFound));
}

TEST(BootNanoseconds, CountsSinceBoot) {
  const int64_t before = Now(CLOCK_BOOTTIME);
  const int64_t now = BootNanoseconds();
  EXPECT_GE(now, before);
  EXPECT_LE(now, Now(CLOCK_BOOTTIME));
}

}  // namespace
}  // namespace pycheck

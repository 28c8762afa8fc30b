#include "lib/procfs/thread_switches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "lib/base/file.h"
#include "tests/testing/child_process.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

constexpr int kSleeps = 50;

void Sleep() {
  for (int i = 0; i < kSleeps; ++i) usleep(1);
}

// What the files of all threads say together.
uint64_t VoluntaryOf(pid_t pid) {
  uint64_t total = 0;
  for (const auto& thread : std::filesystem::directory_iterator(
           "/proc/" + std::to_string(pid) + "/task")) {
    total += ParseThreadContextSwitches(
                 *ReadWholeFile(thread.path() / "status", 65536))
                 ->voluntary;
  }
  return total;
}

// Has one thread, then two, then one.
void HaveThreads(const Channel& channel) {
  Sleep();
  TellAndWait(channel);
  std::thread thread([&] {
    Sleep();
    TellAndWait(channel);
  });
  thread.join();
  TellAndWait(channel);
}

void Advance(const ChildProcess& child) {
  child.channel().Tell();
  child.channel().Await();
  AwaitRest(child.pid());
}

TEST(ThreadSwitches, AreThoseOfAllThreads) {
  const Procfs procfs = *Procfs::Open("/proc");
  const ChildProcess child(HaveThreads);
  AwaitRest(child.pid());
  ThreadSwitches switches;
  const auto read = [&] {
    const auto now = switches.Read(procfs, child.pid());
    EXPECT_THAT(now, IsOk());
    return now->voluntary;
  };
  const uint64_t alone = read();
  EXPECT_EQ(alone, VoluntaryOf(child.pid()));
  EXPECT_GE(alone, kSleeps);

  Advance(child);
  const uint64_t together = read();
  EXPECT_EQ(together, VoluntaryOf(child.pid()));
  EXPECT_GE(together, alone + kSleeps);
  EXPECT_EQ(read(), together);

  // What the one that has ended did is not forgotten.
  Advance(child);
  EXPECT_GE(read(), together);
  EXPECT_LT(VoluntaryOf(child.pid()), together);
  const uint64_t after = read();
  EXPECT_GE(after, together);
  EXPECT_EQ(read(), after);
}

TEST(ThreadSwitches, AreNoneOfAProcessThatHasEnded) {
  ChildProcess child(TellAndWait);
  const pid_t pid = child.pid();
  child.Reap();
  EXPECT_THAT(ThreadSwitches().Read(*Procfs::Open("/proc"), pid),
              HasCode(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace pycheck

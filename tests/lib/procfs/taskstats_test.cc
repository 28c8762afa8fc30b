#include "lib/procfs/taskstats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

#include "lib/procfs/procfs.h"
#include "tests/testing/child_process.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 100;

// A thread is switched a few times more after the kernel has added its counts
// to its group's. Each of kThreads has another beside it.
constexpr int64_t kMissed = 2 * kThreads * 3;

// Makes voluntary switches: each round waits for the other thread's answer.
void PlayPingPong() {
  int there[2];
  int back[2];
  if (pipe(there) != 0 || pipe(back) != 0) _exit(1);
  char byte = 0;
  std::thread other([&] {
    char received;
    while (read(there[0], &received, 1) == 1) {
      if (write(back[1], &received, 1) != 1) _exit(1);
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) {
      _exit(1);
    }
  }
  close(there[1]);
  other.join();
}

// Returns when none of its threads is left in the kernel either.
void RunThreads() {
  const size_t tasks = ListIds("/proc/self/task")->size();
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(PlayPingPong);
  for (std::thread& thread : threads) thread.join();
  while (ListIds("/proc/self/task")->size() > tasks) sched_yield();
}

class TaskstatsTest : public testing::Test {
 protected:
  void SetUp() override {
    RunThreads();
    absl::StatusOr<Taskstats> opened = Taskstats::Open(procfs_);
    if (absl::IsPermissionDenied(opened.status()) ||
        absl::IsInvalidArgument(opened.status()) ||
        absl::IsFailedPrecondition(opened.status()) ||
        absl::IsNotFound(opened.status()) ||
        absl::IsUnimplemented(opened.status())) {
      GTEST_SKIP() << opened.status();
    }
    ASSERT_THAT(opened, IsOk());
    taskstats_ = *std::move(opened);
  }

  const Procfs procfs_ = *Procfs::Open("/proc");
  std::optional<Taskstats> taskstats_;
};

TEST_F(TaskstatsTest, SumsOverAllThreadsAndThoseThatEnded) {
  void* const shared = mmap(nullptr, sizeof(rusage), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  rusage* const own = static_cast<rusage*>(shared);
  const ChildProcess child([own](const Channel& channel) {
    RunThreads();
    getrusage(RUSAGE_SELF, own);
    TellAndWait(channel);
    getrusage(RUSAGE_SELF, own);
    TellAndWait(channel);
  });
  const rusage before = *own;
  const absl::StatusOr<ContextSwitches> switches =
      taskstats_->Query(child.pid());
  child.channel().Tell();
  ASSERT_TRUE(child.channel().Await());
  const rusage after = *own;
  munmap(shared, sizeof(rusage));

  ASSERT_THAT(switches, IsOk());
  ASSERT_GE(before.ru_nvcsw, kThreads * kRounds);
  EXPECT_GE(static_cast<int64_t>(switches->voluntary),
            before.ru_nvcsw - kMissed);
  EXPECT_LE(static_cast<int64_t>(switches->voluntary), after.ru_nvcsw);
  EXPECT_GE(static_cast<int64_t>(switches->involuntary),
            before.ru_nivcsw - kMissed);
  EXPECT_LE(static_cast<int64_t>(switches->involuntary), after.ru_nivcsw);
}

TEST_F(TaskstatsTest, FindsNoProcessThatWasReaped) {
  ChildProcess child(TellAndWait);
  const pid_t pid = child.pid();
  child.Reap();
  EXPECT_THAT(taskstats_->Query(pid), HasCode(absl::StatusCode::kNotFound));
}

TEST_F(TaskstatsTest, AnswersAgainAfterAnError) {
  ChildProcess child(TellAndWait);
  const pid_t pid = child.pid();
  child.Reap();
  ASSERT_FALSE(taskstats_->Query(pid).ok());
  EXPECT_THAT(taskstats_->Query(getpid()), IsOk());
}

TEST_F(TaskstatsTest, ServesAfterItWasMoved) {
  Taskstats moved = *std::move(taskstats_);
  EXPECT_THAT(moved.Query(getpid()), IsOk());
}

// A process in which no thread has ended cannot tell what the kernel does then.
TEST(Taskstats, IsNotUsedWithoutProof) {
  ChildProcess child([](const Channel& channel) {
    channel.Tell();
    _exit(Taskstats::Open(*Procfs::Open("/proc")).ok() ? 1 : 0);
  });
  child.AwaitEnd();
  EXPECT_EQ(child.Reap(), 0);
}

TEST(Taskstats, IsRefusedWithoutRights) {
  ChildProcess child([](const Channel& channel) {
    channel.Tell();
    if (geteuid() == 0 && setuid(65534) != 0) _exit(2);
    _exit(Taskstats::Open(*Procfs::Open("/proc")).ok() ? 1 : 0);
  });
  child.AwaitEnd();
  EXPECT_EQ(child.Reap(), 0);
}

}  // namespace
}  // namespace pycheck

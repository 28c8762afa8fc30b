#include "lib/procfs/mem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/procfs/statm.h"
#include "tests/testing/child_process.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

// No process maps its first byte, but only where the address space has gone
// does the file end there.
bool IsAlive(const ProcessMemory& memory) {
  return !absl::IsNotFound(memory.Read<char>(0).status());
}

using absl::StatusCode;

ProcessMemory MemoryOf(pid_t pid) {
  absl::StatusOr<UniqueFd> fd = OpenFile(absl::StrCat("/proc/", pid, "/mem"));
  EXPECT_THAT(fd, IsOk());
  return ProcessMemory(fd.ok() ? *std::move(fd) : UniqueFd());
}

template <typename T>
uint64_t AddressOf(const T& object) {
  return reinterpret_cast<uint64_t>(&object);
}

// A page that can be read, before one that cannot.
class TwoPages {
 public:
  TwoPages()
      : pages_(mmap(nullptr, 2 * PageSize(), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    munmap(static_cast<char*>(pages_) + PageSize(), PageSize());
  }
  TwoPages(const TwoPages&) = delete;
  TwoPages& operator=(const TwoPages&) = delete;
  ~TwoPages() { munmap(pages_, PageSize()); }

  uint64_t end() const {
    return reinterpret_cast<uint64_t>(pages_) + PageSize();
  }

 private:
  void* pages_;
};

// An address space goes when its last user lets go of it, which may be somebody
// else who reads /proc just then.
void AwaitGone(const ProcessMemory& memory) {
  while (IsAlive(memory)) sched_yield();
}

TEST(ProcessMemory, ReadsAnObjectOfItsOwnProcess) {
  const volatile uint64_t value = 0x1122334455667788;
  const absl::StatusOr<uint64_t> read =
      MemoryOf(getpid()).Read<uint64_t>(AddressOf(value));
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(*read, value);
}

TEST(ProcessMemory, ReadsAnotherProcessAndNotItsOwn) {
  static volatile int value = 1;
  const ChildProcess child([](const Channel& channel) {
    value = 2;
    TellAndWait(channel);
  });
  EXPECT_EQ(*MemoryOf(child.pid()).Read<int>(AddressOf(value)), 2);
  EXPECT_EQ(value, 1);
}

TEST(ProcessMemory, SeesThatTheProcessGoesOn) {
  static volatile int value = 1;
  const ChildProcess child([](const Channel& channel) {
    TellAndWait(channel);
    value = 2;
    TellAndWait(channel);
  });
  const ProcessMemory memory = MemoryOf(child.pid());
  EXPECT_EQ(*memory.Read<int>(AddressOf(value)), 1);
  child.channel().Tell();
  ASSERT_TRUE(child.channel().Await());
  EXPECT_EQ(*memory.Read<int>(AddressOf(value)), 2);
}

TEST(ProcessMemory, ReadsUpToTheEndOfAMapping) {
  const TwoPages pages;
  EXPECT_THAT(MemoryOf(getpid()).Read<uint64_t>(pages.end() - 8), IsOk());
}

TEST(ProcessMemory, ReadsNothingWhereNotAllIsMapped) {
  const TwoPages pages;
  EXPECT_THAT(MemoryOf(getpid()).Read<uint64_t>(pages.end() - 4),
              HasCode(StatusCode::kOutOfRange));
}

class WildAddress : public testing::TestWithParam<uint64_t> {};

TEST_P(WildAddress, IsOutOfRange) {
  EXPECT_THAT(MemoryOf(getpid()).Read<uint64_t>(GetParam()),
              HasCode(StatusCode::kOutOfRange));
}

INSTANTIATE_TEST_SUITE_P(ProcessMemory, WildAddress,
                         testing::Values(0, 1, 8, uint64_t{1} << 47,
                                         (uint64_t{1} << 63) - 4,
                                         uint64_t{1} << 63,
                                         (uint64_t{1} << 63) + 1,
                                         std::numeric_limits<uint64_t>::max()));

TEST(ProcessMemory, ReadsNoBytesAsEasily) {
  EXPECT_THAT(MemoryOf(getpid()).Read(0, absl::Span<char>()), IsOk());
}

TEST(ProcessMemory, IsAliveWhileTheProcessRuns) {
  const ChildProcess child(TellAndWait);
  EXPECT_TRUE(IsAlive(MemoryOf(child.pid())));
  EXPECT_TRUE(IsAlive(MemoryOf(getpid())));
}

TEST(ProcessMemory, IsGoneOnceTheProcessIsAZombie) {
  static const int value = 1;
  const ChildProcess child(TellAndWait);
  const ProcessMemory memory = MemoryOf(child.pid());
  child.Kill();
  AwaitGone(memory);
  EXPECT_THAT(memory.Read<int>(AddressOf(value)),
              HasCode(StatusCode::kNotFound));
}

TEST(ProcessMemory, IsGoneOnceTheProcessIsReaped) {
  static const int value = 1;
  ChildProcess child(TellAndWait);
  const ProcessMemory memory = MemoryOf(child.pid());
  child.Reap();
  AwaitGone(memory);
  EXPECT_THAT(memory.Read<int>(AddressOf(value)),
              HasCode(StatusCode::kNotFound));
}

TEST(ProcessMemory, IsGoneOnceTheProcessHasExecuted) {
  static const int value = 1;
  const ChildProcess child([](const Channel& channel) {
    TellAndWait(channel);
    ExecuteShell(channel, "/bin/sh", {});
  });
  const ProcessMemory before = MemoryOf(child.pid());
  ASSERT_TRUE(IsAlive(before));
  child.channel().Tell();
  ASSERT_TRUE(child.channel().Await());
  AwaitGone(before);
  EXPECT_THAT(before.Read<int>(AddressOf(value)),
              HasCode(StatusCode::kNotFound));
  EXPECT_TRUE(IsAlive(MemoryOf(child.pid())));
}

}  // namespace
}  // namespace pycheck

#include "lib/cpython/free_threading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "lib/base/budgeted_memory.h"
#include "tests/testing/fake_memory.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/synthetic_collector.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::ElementsAre;

constexpr uint64_t kInterpreter = 0x7f0000000000;
constexpr uint64_t kThreads = 0x7f0000100000;
constexpr FreeThreading kWhere{
    .threads_head = 0x100, .generations = 0x200, .alloc_count = 0x80};

// Of one attempt that reads no thread: the generations, the head of the list
// of threads, and the generations again; and two for each thread.
constexpr int kReadsWithoutThreads = 3;
constexpr int kReadsOfAThread = 2;

// An interpreter without a thread.
class FreeThreadedCounts : public testing::Test {
 protected:
  FreeThreadedCounts() {
    memory_.Map(kInterpreter, std::string(0x1000, '\0'));
    memory_.Map(kThreads, std::string(0x10000, '\0'));
    for (const int i : {0, 1, 2}) PutThreshold(i, 2000 - i);
    PutCount(0, 1'000);
    PutCount(1, 20);
    PutCount(2, 3);
  }

  static uint64_t Generation(int index) {
    return kInterpreter + kWhere.generations + index * 24;
  }
  static uint64_t Thread(int index) { return kThreads + index * 0x200; }

  void PutThreshold(int generation, int32_t threshold) {
    memory_.Put(Generation(generation) + 16, threshold);
  }
  void PutCount(int generation, int32_t count) {
    memory_.Put(Generation(generation) + 20, count);
  }

  // Adds a thread at the front of the list, as CPython does.
  void AddThread(int64_t alloc_count) {
    const uint64_t thread = Thread(threads_++);
    const auto next = memory_.Get<uint64_t>(kInterpreter + kWhere.threads_head);
    memory_.Put(thread, std::array<uint64_t, 3>{0, next, kInterpreter});
    if (next != 0) memory_.Put(next, thread);
    memory_.Put(thread + kWhere.alloc_count, alloc_count);
    memory_.Put(kInterpreter + kWhere.threads_head, thread);
  }

  absl::StatusOr<GcCounts> Read() {
    memory_.ForgetReads();
    return ReadFreeThreadedCounts(memory_, kInterpreter, kWhere);
  }

  FakeMemory memory_;
  int threads_ = 0;
};

TEST_F(FreeThreadedCounts, AreTheYoungCountAndTheThreads) {
  AddThread(7);
  EXPECT_THAT(Read(), IsOkAndHolds(ElementsAre(1'007, 20, 3)));
  EXPECT_EQ(memory_.reads(), kReadsWithoutThreads + kReadsOfAThread);
  AddThread(500);
  AddThread(30);
  EXPECT_THAT(Read(), IsOkAndHolds(ElementsAre(1'537, 20, 3)));
  EXPECT_EQ(memory_.reads(), kReadsWithoutThreads + 3 * kReadsOfAThread);
}

TEST_F(FreeThreadedCounts, MayHaveThreadsThatFreedMoreThanTheyAllocated) {
  AddThread(-12);
  AddThread(-500);
  AddThread(10);
  EXPECT_THAT(Read(), IsOkAndHolds(ElementsAre(498, 20, 3)));
}

TEST_F(FreeThreadedCounts, HaveThreadsWithinTheirThreshold) {
  for (const int64_t beyond : {int64_t{513}, int64_t{-513}, int64_t{1} << 32,
                               std::numeric_limits<int64_t>::min()}) {
    memory_.Put(Thread(0) + kWhere.alloc_count, beyond);
    memory_.Put(kInterpreter + kWhere.threads_head, Thread(0));
    memory_.Put(Thread(0) + 16, kInterpreter);
    EXPECT_THAT(Read(), HasCode(StatusCode::kUnavailable)) << beyond;
  }
  for (const int64_t within : {512, -512}) {
    memory_.Put(Thread(0) + kWhere.alloc_count, within);
    EXPECT_THAT(Read(), IsOkAndHolds(ElementsAre(1'000 + within, 20, 3)));
  }
}

TEST_F(FreeThreadedCounts, NeedAThread) {
  EXPECT_THAT(Read(), HasCode(StatusCode::kUnavailable));
}

TEST_F(FreeThreadedCounts, NeedThreadsThatLeadBack) {
  AddThread(7);
  AddThread(8);
  EXPECT_THAT(Read(), IsOk());
  for (const int i : {0, 1}) {
    memory_.Put(Thread(i) + 16, kInterpreter + 8);
    EXPECT_THAT(Read(), HasCode(StatusCode::kUnavailable)) << i;
    memory_.Put(Thread(i) + 16, kInterpreter);
  }
}

TEST_F(FreeThreadedCounts, NeedThreadsThatAreMapped) {
  AddThread(7);
  for (const uint64_t wrong :
       {uint64_t{0x1000}, uint64_t{1} << 63, ~uint64_t{0}}) {
    memory_.Put(Thread(0) + 8, wrong);
    EXPECT_THAT(Read(), HasCode(StatusCode::kUnavailable)) << wrong;
  }
}

TEST_F(FreeThreadedCounts, NeedGenerationsWithoutLists) {
  AddThread(7);
  for (const int i : {0, 1, 2}) {
    for (const uint64_t link : {0, 8}) {
      memory_.Put(Generation(i) + link, Generation(i));
      EXPECT_THAT(Read(), HasCode(StatusCode::kUnavailable)) << i;
      memory_.Put(Generation(i) + link, uint64_t{0});
    }
  }
  EXPECT_THAT(Read(), IsOk());
}

TEST_F(FreeThreadedCounts, NeedGenerationsWithThresholds) {
  AddThread(7);
  for (const int i : {0, 1, 2}) {
    PutThreshold(i, -1);
    EXPECT_THAT(Read(), HasCode(StatusCode::kUnavailable)) << i;
    PutThreshold(i, 0);
    EXPECT_THAT(Read(), IsOk());
  }
}

TEST_F(FreeThreadedCounts, NeedAnInterpreter) {
  EXPECT_THAT(ReadFreeThreadedCounts(memory_, 0x1000, kWhere),
              HasCode(StatusCode::kUnavailable));
  EXPECT_THAT(ReadFreeThreadedCounts(memory_, ~uint64_t{0}, kWhere),
              HasCode(StatusCode::kUnavailable));
}

TEST_F(FreeThreadedCounts, AreGivenUpAfterSoManyAttempts) {
  EXPECT_THAT(Read(), HasCode(StatusCode::kUnavailable));
  EXPECT_EQ(memory_.reads(), kProofAttempts * 2);
}

TEST_F(FreeThreadedCounts, AreNotReadInAProcessThatHasGone) {
  AddThread(7);
  for (int step = 0; step < kReadsWithoutThreads + kReadsOfAThread; ++step) {
    FakeMemory memory = memory_;
    memory.BeforeRead([&](int reads) {
      if (reads == step) memory.Vanish();
    });
    EXPECT_THAT(ReadFreeThreadedCounts(memory, kInterpreter, kWhere),
                HasCode(StatusCode::kNotFound));
    EXPECT_EQ(memory.reads(), step + 1);
  }
}

// As Interpreter reads them.
// A ring, in which each leads back to the one before it.
TEST_F(FreeThreadedCounts, AreGivenUpInAnEndlessListOfThreads) {
  AddThread(7);
  AddThread(7);
  AddThread(7);
  memory_.Put(Thread(0) + 8, Thread(1));
  const BudgetedMemory budgeted(memory_, 1'000, int64_t{1} << 20);
  EXPECT_THAT(ReadFreeThreadedCounts(budgeted, kInterpreter, kWhere),
              HasCode(StatusCode::kUnavailable));
  EXPECT_LE(memory_.reads(), 1'000);
}

TEST_F(FreeThreadedCounts, NeedThreadsThatLeadBackToTheOneBefore) {
  AddThread(7);
  AddThread(8);
  for (const int i : {0, 1}) {
    const auto prev = memory_.Get<uint64_t>(Thread(i));
    memory_.Put(Thread(i), kInterpreter);
    EXPECT_THAT(Read(), HasCode(StatusCode::kUnavailable)) << i;
    memory_.Put(Thread(i), prev);
  }
  EXPECT_THAT(Read(), IsOk());
}

TEST_F(FreeThreadedCounts, HaveAYoungGenerationWithAThresholdAndNoneBefore) {
  EXPECT_THAT(ProveYoungGeneration(memory_, Generation(0)), IsOk());
  EXPECT_THAT(ProveYoungGeneration(memory_, Generation(1)),
              HasCode(StatusCode::kUnavailable));
  PutThreshold(0, 0);
  EXPECT_THAT(ProveYoungGeneration(memory_, Generation(0)),
              HasCode(StatusCode::kUnavailable));
}

// A thread that adds its count to the young one between two of our reads.
TEST_F(FreeThreadedCounts, AreReadAgainUntilNoThreadAddedItsCountMeanwhile) {
  AddThread(100);
  AddThread(511);
  memory_.BeforeRead([this](int reads) {
    // The thread that comes first has been read, and then adds its own.
    if (reads != 4) return;
    PutCount(0, 1'511);
    memory_.Put(Thread(1) + kWhere.alloc_count, int64_t{0});
  });
  EXPECT_THAT(Read(), IsOkAndHolds(ElementsAre(1'611, 20, 3)));
  EXPECT_EQ(memory_.reads(), 2 * (kReadsWithoutThreads + 2 * kReadsOfAThread));
}

TEST_F(FreeThreadedCounts, AreReadAgainWhenACollectionRanMeanwhile) {
  AddThread(100);
  for (const int generation : {1, 2}) {
    PutCount(generation, 0);
    memory_.BeforeRead([&](int reads) {
      if (reads == 2) PutCount(generation, 7);
    });
    const absl::StatusOr<GcCounts> counts = Read();
    ASSERT_THAT(counts, IsOk());
    EXPECT_EQ((*counts)[generation], 7);
    EXPECT_EQ(memory_.reads(), 2 * (kReadsWithoutThreads + kReadsOfAThread));
  }
}

TEST_F(FreeThreadedCounts, AreTheLastOnesInAProcessThatIsNeverQuiet) {
  AddThread(5);
  int attempts = 0;
  memory_.BeforeRead([&](int reads) {
    PutCount(0, 1'000 + reads);
    attempts = reads / (kReadsWithoutThreads + kReadsOfAThread) + 1;
  });
  const absl::StatusOr<GcCounts> counts = Read();
  EXPECT_THAT(counts, IsOkAndHolds(
                          ElementsAre(1'000 + memory_.reads() - 1 + 5, 20, 3)));
  EXPECT_EQ(attempts, 9);
}

TEST_F(FreeThreadedCounts, AreUnavailableWhenCollectionsNeverEnd) {
  AddThread(5);
  memory_.BeforeRead([&](int reads) { PutCount(1, reads); });
  EXPECT_THAT(Read(), HasCode(StatusCode::kUnavailable));
  EXPECT_EQ(memory_.reads(),
            kProofAttempts * (kReadsWithoutThreads + kReadsOfAThread));
}

// A thread's state: from kNode on a list node, perhaps another field, the
// thread's own count, and the heaps with the thread's data behind them.
class FindAllocCountTest : public testing::Test {
 protected:
  static constexpr uint64_t kThreadsHead = 0x100;
  static constexpr uint64_t kThread = kThreads;
  static constexpr uint64_t kNode = 0x328;
  static constexpr uint64_t kHeapsSize = 0x1800;
  static constexpr uint64_t kHeapSize = 0x600;

  FindAllocCountTest() {
    memory_.Map(kInterpreter, std::string(0x1000, '\0'));
    memory_.Map(kThreads, std::string(0x10000, '\0'));
    memory_.Put(kInterpreter + kThreadsHead, kThread);
    memory_.Put(kThread, std::array<uint64_t, 3>{0, 0, kInterpreter});
  }

  // With so many fields between the node and the count; gives the latter's
  // offset.
  uint64_t PutState(uint64_t fields_between, int64_t alloc_count = 77) {
    PutList(memory_, kThread + kNode, {});
    const uint64_t count = kNode + 16 + 8 * fields_between;
    memory_.Put(kThread + count, alloc_count);
    const uint64_t heaps = kThread + count + 16;
    const uint64_t owner = heaps + kHeapsSize;
    for (uint64_t heap = heaps; heap < owner; heap += kHeapSize) {
      memory_.Put(heap, owner);
    }
    PutCurrentHeap(count, heaps);
    return count;
  }
  void PutCurrentHeap(uint64_t count, uint64_t heap) {
    memory_.Put(kThread + count + 8, heap);
  }

  absl::StatusOr<uint64_t> Find() {
    return FindAllocCount(memory_, kInterpreter, kThreadsHead);
  }

  FakeMemory memory_;
};

TEST_F(FindAllocCountTest, FindsItBehindTheNode) {
  const uint64_t count = PutState(0);
  EXPECT_THAT(Find(), IsOkAndHolds(count));
}

TEST_F(FindAllocCountTest, FindsItBehindTheNodeAndOneField) {
  for (const uint64_t between : {uint64_t{0}, ~uint64_t{0}, kThread + 0x2000}) {
    const uint64_t count = PutState(1);
    memory_.Put(kThread + count - 8, between);
    EXPECT_THAT(Find(), IsOkAndHolds(count)) << between;
  }
}

TEST_F(FindAllocCountTest, FindsItNowhereElse) {
  PutState(2);
  EXPECT_THAT(Find(), HasCode(StatusCode::kUnavailable));
}

TEST_F(FindAllocCountTest, FindsItWithObjectsThatWaitInTheNodesList) {
  const uint64_t count = PutState(0);
  PutList(memory_, kThread + kNode, {kThread + 0x8000, kThread + 0x8100});
  EXPECT_THAT(Find(), IsOkAndHolds(count));
}

TEST_F(FindAllocCountTest, FindsItWhicheverHeapIsInUse) {
  const uint64_t count = PutState(0);
  for (uint64_t i = 0; i < kHeapsSize / kHeapSize; ++i) {
    PutCurrentHeap(count, kThread + count + 16 + i * kHeapSize);
    EXPECT_THAT(Find(), IsOkAndHolds(count)) << i;
  }
}

TEST_F(FindAllocCountTest, FindsWhatAThreadMayHaveCounted) {
  for (const int64_t count : {-512, 0, 512}) {
    PutState(0, count);
    EXPECT_THAT(Find(), IsOk()) << count;
  }
  for (const int64_t count : {-513, 513}) {
    PutState(0, count);
    EXPECT_THAT(Find(), HasCode(StatusCode::kUnavailable)) << count;
  }
}

TEST_F(FindAllocCountTest, NeedsAHeapThatIsInUse) {
  const uint64_t count = PutState(0);
  PutCurrentHeap(count, 0);
  EXPECT_THAT(Find(), HasCode(StatusCode::kUnavailable));
}

TEST_F(FindAllocCountTest, NeedsAHeapBehindTheCount) {
  const uint64_t count = PutState(0);
  const uint64_t owner = kThread + count + 16 + kHeapsSize;
  memory_.Put(kThread, owner);
  memory_.Put(kThread + count + 24, owner);
  for (const uint64_t wrong : {kThread, kThread + count + 24 - 4}) {
    PutCurrentHeap(count, wrong);
    EXPECT_THAT(Find(), HasCode(StatusCode::kUnavailable)) << wrong;
  }
}

TEST_F(FindAllocCountTest, NeedsAHeapOfTheSameThread) {
  const uint64_t count = PutState(0);
  const uint64_t second = kThread + count + 16 + kHeapSize;
  PutCurrentHeap(count, second);
  EXPECT_THAT(Find(), IsOk());
  memory_.Put(second, memory_.Get<uint64_t>(second) + 8);
  EXPECT_THAT(Find(), HasCode(StatusCode::kUnavailable));
}

TEST_F(FindAllocCountTest, NeedsTheThreadsDataBehindTheHeaps) {
  const uint64_t count = PutState(0);
  const uint64_t heaps = kThread + count + 16;
  for (const uint64_t wrong :
       {uint64_t{0}, heaps - 8, heaps + 0x1804, heaps + 0x10000}) {
    memory_.Put(heaps, wrong);
    EXPECT_THAT(Find(), HasCode(StatusCode::kUnavailable)) << wrong;
  }
}

TEST_F(FindAllocCountTest, NeedsANode) {
  PutState(0);
  memory_.Put(kThread + kNode, std::array<uint64_t, 2>{0, 0});
  EXPECT_THAT(Find(), HasCode(StatusCode::kUnavailable));
}

TEST_F(FindAllocCountTest, NeedsAThread) {
  PutState(0);
  for (const uint64_t wrong :
       {uint64_t{0}, uint64_t{0x1000}, uint64_t{1} << 63, ~uint64_t{3}}) {
    memory_.Put(kInterpreter + kThreadsHead, wrong);
    EXPECT_THAT(Find(), HasCode(StatusCode::kUnavailable)) << wrong;
  }
  EXPECT_THAT(FindAllocCount(memory_, 0x1000, kThreadsHead),
              HasCode(StatusCode::kUnavailable));
}

TEST_F(FindAllocCountTest, SaysThatTheProcessHasGone) {
  PutState(1);
  memory_.ForgetReads();
  ASSERT_THAT(Find(), IsOk());
  const int steps = memory_.reads();
  memory_.ForgetReads();
  for (int step = 0; step < steps; ++step) {
    FakeMemory memory = memory_;
    memory.BeforeRead([&](int reads) {
      if (reads == step) memory.Vanish();
    });
    EXPECT_THAT(FindAllocCount(memory, kInterpreter, kThreadsHead),
                HasCode(StatusCode::kNotFound))
        << step;
  }
}

TEST(KnownFreeThreadedLayouts, HaveOneRowForEachVersionInOrder) {
  const auto layouts = KnownFreeThreadedLayouts();
  ASSERT_FALSE(layouts.empty());
  for (size_t i = 1; i < layouts.size(); ++i) {
    EXPECT_LT(std::pair(layouts[i - 1].major, layouts[i - 1].minor),
              std::pair(layouts[i].major, layouts[i].minor));
  }
}

}  // namespace
}  // namespace pycheck

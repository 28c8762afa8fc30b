#include "lib/cpython/generations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "tests/testing/fake_memory.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/synthetic_collector.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::ElementsAre;

constexpr uint64_t kAddress = 0x7f0000001000;
constexpr uint64_t kObjects = 0x7f0000200000;

// Of generations of any shape, and what they need behind them.
constexpr uint64_t kSize = 256;

// Reads of one attempt at most: the generations, then both ends of each list.
constexpr int kReadsOfAProof = 1 + 2 * kGenerations;

// Three generations: the first tracks one object, the second none, the third
// two. In a collector that is incremental the second and the third are in their
// order.
class Generations : public testing::TestWithParam<GenerationShape> {
 protected:
  Generations() {
    memory_.Map(kAddress, std::string(kSize, '\xaa'));
    memory_.Map(kObjects, std::string(4096, '\xbb'));
    PutList(memory_, Head(0), {Object(0)});
    PutList(memory_, Head(1), {});
    PutList(memory_, Head(2), {Object(1), Object(2)});
    for (int i = 0; i < kGenerations; ++i) {
      PutThreshold(i, 700);
      PutCount(i, 10 + i);
    }
    if (shape().visited_space != 0) PutVisitedSpace(0);
  }

  static const GenerationShape& shape() { return GetParam(); }
  static uint64_t Head(int generation) {
    return kAddress + generation * shape().size;
  }
  static uint64_t Object(int index) { return kObjects + index * 64; }

  void PutThreshold(int generation, int32_t threshold) {
    memory_.Put(Head(generation) + shape().threshold, threshold);
  }
  void PutCount(int generation, int32_t count) {
    memory_.Put(Head(generation) + shape().threshold + 4, count);
  }
  int32_t CountOf(int generation) const {
    return memory_.Get<int32_t>(Head(generation) + shape().threshold + 4);
  }
  void PutVisitedSpace(int32_t visited) {
    memory_.Put(kAddress + shape().visited_space, visited);
  }
  void PutLooseEnds(int generation) {
    memory_.Put(Head(generation), Object(20));
    memory_.Put(Head(generation) + 8, Object(21));
  }

  absl::Status Prove() { return ProveGenerations(memory_, kAddress, shape()); }
  absl::StatusOr<GcCounts> ReadCounts() {
    return ReadGcCounts(memory_, kAddress, shape());
  }

  FakeMemory memory_;
};

TEST_P(Generations, AreProven) {
  EXPECT_THAT(Prove(), IsOk());
  EXPECT_EQ(memory_.reads(), kReadsOfAProof);
}

TEST_P(Generations, GiveTheirCountsInTwoReads) {
  const absl::StatusOr<GcCounts> counts = ReadCounts();
  ASSERT_THAT(counts, IsOk());
  EXPECT_THAT(*counts, ElementsAre(10, 11, 12));
  EXPECT_EQ(memory_.reads(), 2);
}

TEST_P(Generations, GiveTheYoungCountOfTheSecondRead) {
  memory_.BeforeRead([this](int reads) { PutCount(0, 100 + reads); });
  const absl::StatusOr<GcCounts> counts = ReadCounts();
  ASSERT_THAT(counts, IsOk());
  EXPECT_THAT(*counts, ElementsAre(101, 11, 12));
  EXPECT_EQ(memory_.reads(), 2);
}

TEST_P(Generations, AreReadAgainWhenACollectionBeganInBetween) {
  for (const int generation : {1, 2}) {
    memory_.ForgetReads();
    memory_.BeforeRead([&](int reads) {
      if (reads == 1) PutCount(generation, 90);
      if (reads == 2) PutCount(0, 0);
    });
    const absl::StatusOr<GcCounts> counts = ReadCounts();
    ASSERT_THAT(counts, IsOk());
    EXPECT_EQ((*counts)[0], 0) << generation;
    EXPECT_EQ((*counts)[generation], 90);
    EXPECT_EQ(memory_.reads(), 3);
    PutCount(0, 10);
  }
}

TEST_P(Generations, AreGivenUpWhenTheyNeverStandStill) {
  for (const int generation : {1, 2}) {
    memory_.ForgetReads();
    memory_.BeforeRead([&](int reads) { PutCount(generation, reads); });
    EXPECT_THAT(ReadCounts(),
                StatusIs(StatusCode::kAborted, "its counts never stood still"));
    EXPECT_EQ(memory_.reads(), kProofAttempts + 1);
  }
}

TEST_P(Generations, AreReadInTheLastAttempt) {
  memory_.BeforeRead([this](int reads) {
    if (reads < kProofAttempts) PutCount(2, reads);
  });
  EXPECT_THAT(ReadCounts(), IsOk());
}

TEST_P(Generations, AreGivenUpWhenTheyCeaseToBeSuchInTheMiddle) {
  memory_.BeforeRead([this](int reads) {
    if (reads == 1) memory_.Put(Head(2), uint64_t{0});
  });
  EXPECT_THAT(ReadCounts(), HasCode(StatusCode::kUnavailable));
}

TEST_P(Generations, AreNotReadAnyMoreWhenTheProcessGoesInTheMiddle) {
  memory_.BeforeRead([this](int reads) {
    if (reads == 1) memory_.Vanish();
  });
  EXPECT_THAT(ReadCounts(), HasCode(StatusCode::kNotFound));
  EXPECT_EQ(memory_.reads(), 2);
}

TEST_P(Generations, AreProvenWithFlagsInTheLinks) {
  memory_.Put(Head(0), Object(0) | 1);
  memory_.Put(Object(0) + 8, Head(0) | 3);
  memory_.Put(Object(0), Head(0) | 1);
  memory_.Put(Head(2) + 8, Object(2) | 2);
  memory_.Put(Object(2), Head(2) | 1);
  EXPECT_THAT(Prove(), IsOk());
  EXPECT_THAT(ReadCounts(), IsOk());
}

TEST_P(Generations, ArePossibleWithAThresholdOfZero) {
  for (int i = 0; i < kGenerations; ++i) PutThreshold(i, 0);
  EXPECT_THAT(Prove(), IsOk());
  EXPECT_THAT(ReadCounts(), IsOk());
}

TEST_P(Generations, AreProvenWithOneLooseEnd) {
  for (const uint64_t link : {Head(0), Head(0) + 8, Object(0), Object(0) + 8,
                              Head(2), Head(2) + 8, Object(1) + 8, Object(2)}) {
    const auto right = memory_.Get<uint64_t>(link);
    memory_.Put(link, Object(20));
    EXPECT_THAT(Prove(), IsOk()) << link;
    memory_.Put(link, right);
  }
}

TEST_P(Generations, AreNotProvenWithAnyTwoLooseEnds) {
  const uint64_t ends[] = {Head(0), Head(0) + 8, Head(2), Head(2) + 8};
  for (const uint64_t one : ends) {
    for (const uint64_t other : ends) {
      if (one == other) continue;
      const auto right = memory_.Get<uint64_t>(one);
      const auto other_right = memory_.Get<uint64_t>(other);
      memory_.Put(one, Object(20));
      memory_.Put(other, Object(21));
      EXPECT_THAT(Prove(), HasCode(StatusCode::kUnavailable));
      memory_.Put(one, right);
      memory_.Put(other, other_right);
    }
  }
  EXPECT_THAT(Prove(), IsOk());
}

TEST_P(Generations, AreNotProvenWithAnEmptyListThatDoesNotEndInItself) {
  for (const uint64_t link : {Head(1), Head(1) + 8}) {
    const auto right = memory_.Get<uint64_t>(link);
    memory_.Put(link, Object(20));
    EXPECT_THAT(Prove(), HasCode(StatusCode::kUnavailable)) << link;
    memory_.Put(link, right);
  }
}

TEST_P(Generations, AreTriedAFewTimesAndNoMore) {
  PutLooseEnds(2);
  EXPECT_THAT(Prove(), StatusIs(StatusCode::kUnavailable,
                                "no collector state of a known shape at "
                                "0x7f0000001000"));
  EXPECT_EQ(memory_.reads(), kProofAttempts * kReadsOfAProof);
}

TEST_P(Generations, AreProvenOnceACollectionIsOver) {
  memory_.Put(Head(1), Object(20));
  constexpr int kInconsistent = 50;
  memory_.BeforeRead([this](int reads) {
    if (reads == kInconsistent) memory_.Put(Head(1), Head(1));
  });
  EXPECT_THAT(Prove(), IsOk());
  EXPECT_GT(memory_.reads(), kInconsistent);
}

TEST_P(Generations, AreProvenThoughAnObjectWasUnmappedMeanwhile) {
  memory_.Put(Head(2), uint64_t{0x10});
  memory_.BeforeRead([this](int reads) {
    if (reads == 6) memory_.Put(Head(2), Object(1));
  });
  EXPECT_THAT(Prove(), IsOk());
}

TEST_P(Generations, AreNotLookedForAgainInAProcessThatHasGone) {
  memory_.Vanish();
  EXPECT_THAT(Prove(), HasCode(StatusCode::kNotFound));
  EXPECT_EQ(memory_.reads(), 1);
  EXPECT_THAT(ReadCounts(), HasCode(StatusCode::kNotFound));
  EXPECT_EQ(memory_.reads(), 2);
}

TEST_P(Generations, AreGivenUpAtOnceWhenTheProcessGoesInTheMiddle) {
  memory_.BeforeRead([this](int reads) {
    if (reads == 3) memory_.Vanish();
  });
  EXPECT_THAT(Prove(), HasCode(StatusCode::kNotFound));
  EXPECT_EQ(memory_.reads(), 4);
}

TEST_P(Generations, HaveNoLinksToUnmappedMemory) {
  for (const uint64_t link :
       {uint64_t{0x1000}, uint64_t{1} << 63, ~uint64_t{7}}) {
    memory_.Put(Head(1), link);
    EXPECT_THAT(Prove(), HasCode(StatusCode::kUnavailable)) << link;
  }
}

TEST_P(Generations, HaveNoNegativeNumbers) {
  for (int i = 0; i < kGenerations; ++i) {
    PutCount(i, -1);
    EXPECT_THAT(Prove(), HasCode(StatusCode::kUnavailable));
    EXPECT_THAT(ReadCounts(), HasCode(StatusCode::kUnavailable));
    PutCount(i, 0);
    PutThreshold(i, -1);
    EXPECT_THAT(Prove(), HasCode(StatusCode::kUnavailable));
    EXPECT_THAT(ReadCounts(), HasCode(StatusCode::kUnavailable));
    PutThreshold(i, 0);
  }
  EXPECT_THAT(Prove(), IsOk());
}

TEST_P(Generations, HaveNoEmptyLinks) {
  for (const uint64_t offset : {0, 8}) {
    const auto right = memory_.Get<uint64_t>(Head(2) + offset);
    memory_.Put(Head(2) + offset, uint64_t{0});
    EXPECT_THAT(ReadCounts(), HasCode(StatusCode::kUnavailable)) << offset;
    EXPECT_THAT(Prove(), HasCode(StatusCode::kUnavailable)) << offset;
    memory_.Put(Head(2) + offset, right);
  }
  EXPECT_THAT(ReadCounts(), IsOk());
}

TEST_P(Generations, HaveNoLinksOfFlagsAlone) {
  memory_.Put(Head(1), uint64_t{1});
  EXPECT_THAT(ReadCounts(), HasCode(StatusCode::kUnavailable));
}

// Debian's 3.13 has them so.
TEST_P(Generations, MayBeAlignedToFourBytes) {
  constexpr uint64_t kOther = 0x7f0000300000;
  memory_.Map(kOther, std::string(kSize + 4, '\0'));
  PutGenerations(memory_, kOther + 4, shape(), Object(0), {1, 2, 3});
  EXPECT_THAT(ProveGenerations(memory_, kOther + 4, shape()), IsOk());
  const auto counts = ReadGcCounts(memory_, kOther + 4, shape());
  ASSERT_THAT(counts, IsOk());
  EXPECT_THAT(*counts, ElementsAre(1, 2, 3));
}

TEST_P(Generations, AreEmptyWhenAllThreeLinkToThemselves) {
  EXPECT_THAT(AreEmpty(memory_, kAddress, shape()), IsOkAndHolds(false));
  for (int i = 0; i < kGenerations; ++i) PutList(memory_, Head(i), {});
  EXPECT_THAT(AreEmpty(memory_, kAddress, shape()), IsOkAndHolds(true));
  for (int i = 0; i < kGenerations; ++i) {
    PutList(memory_, Head(i), {Object(i)});
    EXPECT_THAT(AreEmpty(memory_, kAddress, shape()), IsOkAndHolds(false)) << i;
    PutList(memory_, Head(i), {});
  }
}

TEST_P(Generations, AreNotEmptyInAProcessThatHasGone) {
  memory_.Vanish();
  EXPECT_THAT(AreEmpty(memory_, kAddress, shape()),
              HasCode(StatusCode::kNotFound));
}

TEST_P(Generations, AreNotReadWhereNothingIsMapped) {
  EXPECT_THAT(ProveGenerations(memory_, 0x1000, shape()),
              HasCode(StatusCode::kUnavailable));
  EXPECT_THAT(ReadGcCounts(memory_, 0x1000, shape()),
              HasCode(StatusCode::kUnavailable));
}

TEST_P(Generations, AreNotReadPastTheEndOfAMapping) {
  constexpr uint64_t kOther = 0x7f0000300000;
  const uint64_t size =
      shape().visited_space != 0 ? shape().visited_space + 4 : 3 * shape().size;
  memory_.Map(kOther, std::string(size, '\0'));
  PutGenerations(memory_, kOther, shape(), Object(0));
  EXPECT_THAT(ReadGcCounts(memory_, kOther, shape()), IsOk());
  memory_.Map(kOther, std::string(size - 1, '\x1'));
  EXPECT_THAT(ReadGcCounts(memory_, kOther, shape()),
              HasCode(StatusCode::kUnavailable));
}

TEST_P(Generations, AreNotReadAtTheEndOfTheAddressSpace) {
  EXPECT_THAT(ProveGenerations(memory_, ~uint64_t{7}, shape()),
              HasCode(StatusCode::kUnavailable));
  EXPECT_THAT(ReadGcCounts(memory_, ~uint64_t{7}, shape()),
              HasCode(StatusCode::kUnavailable));
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Generations,
    testing::Values(kShape, kPython2Shape, kPaddedShape, kIncrementalShape),
    [](const auto& shape) {
      return (shape.param.visited_space != 0 ? "IncrementalOf" : "Of") +
             std::to_string(shape.param.size) + "Bytes";
    });

class IncrementalGenerations : public Generations {};

TEST_P(IncrementalGenerations, GiveTheOldOneThatIsNotVisitedFirst) {
  EXPECT_THAT(*ReadCounts(), ElementsAre(10, 11, 12));
  PutVisitedSpace(1);
  EXPECT_THAT(*ReadCounts(), ElementsAre(10, 12, 11));
}

TEST_P(IncrementalGenerations, HaveTwoSpaces) {
  for (const int32_t visited : {2, -1, 0x100}) {
    PutVisitedSpace(visited);
    EXPECT_THAT(ReadCounts(), HasCode(StatusCode::kUnavailable)) << visited;
  }
}

TEST_P(IncrementalGenerations, AreReadAgainWhenTheSpacesAreSwappedInBetween) {
  memory_.BeforeRead(
      [this](int reads) { PutVisitedSpace(reads == 0 ? 0 : 1); });
  EXPECT_THAT(*ReadCounts(), ElementsAre(10, 12, 11));
  EXPECT_EQ(memory_.reads(), 3);
}

TEST_P(IncrementalGenerations, AreProvenWhateverIsBehindThem) {
  PutVisitedSpace(2);
  EXPECT_THAT(Prove(), IsOk());
}

INSTANTIATE_TEST_SUITE_P(Shapes, IncrementalGenerations,
                         testing::Values(kIncrementalShape));

// A process that goes on while it is read: between any two numbers that a read
// takes, its collector makes some of its next steps.
class RunningCollector : public Memory {
 public:
  RunningCollector() { Step({10, 3, 1}); }

  // Of the young count, and of the collections that reset it.
  void Allocate() { Step({now()[0] + 7, now()[1], now()[2]}); }
  void CollectYoung() {
    Step({now()[0], now()[1] + 1, now()[2]});
    Step({0, now()[1], now()[2]});
  }
  void CollectMiddle() {
    Step({now()[0], now()[1], now()[2] + 1});
    Step({0, now()[1], now()[2]});
    Step({0, 0, now()[2]});
  }

  // From now on makes its steps while it is read, as `random` has it.
  void Run(std::mt19937* random) {
    position_ = 0;
    random_ = random;
  }

  const std::vector<GcCounts>& steps() const { return steps_; }

  absl::Status Read(uint64_t address, absl::Span<char> out) const override {
    // A word at a time, in the order of their addresses.
    for (size_t at = 0; at < out.size(); at += 4) {
      const uint64_t offset = address + at - kAddress;
      const uint64_t generation = offset / kShape.size;
      uint32_t word = 1;
      if (offset % kShape.size == kShape.threshold + 4) {
        while ((*random_)() % 2 == 0 && position_ + 1 < steps_.size()) {
          ++position_;
        }
        word = static_cast<uint32_t>(steps_[position_][generation]);
      }
      std::memcpy(out.data() + at, &word, sizeof(word));
    }
    return absl::OkStatus();
  }

 private:
  const GcCounts& now() const { return steps_.back(); }
  void Step(const GcCounts& counts) { steps_.push_back(counts); }

  std::vector<GcCounts> steps_;
  std::mt19937* random_ = nullptr;
  mutable size_t position_ = 0;
};

TEST(ReadGcCounts, NeverMixesWhatStoodBeforeACollectionWithWhatStandsAfterIt) {
  RunningCollector collector;
  for (int i = 0; i < 2; ++i) {
    collector.Allocate();
    collector.CollectYoung();
    collector.Allocate();
    collector.CollectYoung();
    collector.CollectMiddle();
  }
  std::mt19937 random(20'261'123);  // NOLINT(cert-msc51-cpp)
  for (int round = 0; round < 50'000; ++round) {
    collector.Run(&random);
    const auto counts = ReadGcCounts(collector, kAddress, kShape);
    ASSERT_THAT(counts, IsOk());
    ASSERT_THAT(collector.steps(), testing::Contains(*counts));
  }
}

class ListHead : public testing::Test {
 protected:
  ListHead() {
    memory_.Map(kAddress, std::string(16, '\0'));
    memory_.Map(kObjects, std::string(4096, '\0'));
  }

  FakeMemory memory_;
};

TEST_F(ListHead, HasALinkBackAtEitherEnd) {
  constexpr uint64_t kLast = kObjects + 64;
  PutList(memory_, kAddress, {kObjects, kLast});
  EXPECT_THAT(IsListHead(memory_, kAddress), IsOkAndHolds(true));
  memory_.Put(kObjects + 8, kLast);
  EXPECT_THAT(IsListHead(memory_, kAddress), IsOkAndHolds(true));
  memory_.Put(kLast, kObjects);
  EXPECT_THAT(IsListHead(memory_, kAddress), IsOkAndHolds(false));
  memory_.Put(kObjects + 8, kAddress);
  EXPECT_THAT(IsListHead(memory_, kAddress), IsOkAndHolds(true));
}

TEST_F(ListHead, MayBeOfAnEmptyList) {
  PutList(memory_, kAddress, {});
  EXPECT_THAT(IsListHead(memory_, kAddress), IsOkAndHolds(true));
}

TEST_F(ListHead, HasFlagsInItsLinks) {
  PutList(memory_, kAddress, {kObjects});
  memory_.Put(kAddress, kObjects | 1);
  memory_.Put(kObjects + 8, kAddress | 3);
  memory_.Put(kObjects, uint64_t{0});
  EXPECT_THAT(IsListHead(memory_, kAddress), IsOkAndHolds(true));
}

TEST_F(ListHead, HasTwoLinks) {
  for (const uint64_t offset : {0, 8}) {
    PutList(memory_, kAddress, {kObjects});
    memory_.Put(kAddress + offset, uint64_t{3});
    EXPECT_THAT(IsListHead(memory_, kAddress), IsOkAndHolds(false)) << offset;
  }
}

TEST_F(ListHead, MayHaveALinkToWhereNothingIsMapped) {
  PutList(memory_, kAddress, {kObjects});
  memory_.Put(kAddress, uint64_t{0x1000});
  EXPECT_THAT(IsListHead(memory_, kAddress), IsOkAndHolds(true));
}

TEST_F(ListHead, IsNotWhereNothingIsMapped) {
  EXPECT_THAT(IsListHead(memory_, 0x1000), IsOkAndHolds(false));
  EXPECT_THAT(IsListHead(memory_, kAddress + 8), IsOkAndHolds(false));
}

TEST_F(ListHead, IsNotLookedForInAProcessThatHasGone) {
  PutList(memory_, kAddress, {kObjects});
  for (int step = 0; step < 3; ++step) {
    FakeMemory memory = memory_;
    memory.BeforeRead([&](int reads) {
      if (reads == step) memory.Vanish();
    });
    EXPECT_THAT(IsListHead(memory, kAddress), HasCode(StatusCode::kNotFound))
        << step;
  }
}

}  // namespace
}  // namespace pycheck

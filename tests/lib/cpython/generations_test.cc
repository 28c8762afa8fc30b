#include "lib/cpython/generations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

#include "tests/testing/fake_memory.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::ElementsAre;

constexpr uint64_t kAddress = 0x7f0000001000;
constexpr uint64_t kObjects = 0x7f0000200000;

// Reads of one attempt at most: the generations, then both ends of each list.
constexpr int kReadsOfAProof = 1 + 2 * kGenerations;

constexpr Layout LayoutOf(uint32_t size, uint32_t threshold, uint32_t count) {
  return {.major = 3,
          .minor = 0,
          .runtime_size = 0,
          .main_interpreter = 0,
          .in_interpreter = false,
          .generations = 0,
          .generation_size = size,
          .threshold = threshold,
          .count = count};
}

// Three generations: the first tracks one object, the second none, the third
// two.
class Generations : public testing::TestWithParam<Layout> {
 protected:
  Generations() {
    memory_.Map(kAddress,
                std::string(kGenerations * layout().generation_size, '\xaa'));
    memory_.Map(kObjects, std::string(4096, '\xbb'));
    Link(Head(0), Object(0));
    Link(Object(0), Head(0));
    Link(Head(1), Head(1));
    Link(Head(2), Object(1));
    Link(Object(1), Object(2));
    Link(Object(2), Head(2));
    for (int i = 0; i < kGenerations; ++i) {
      PutThreshold(i, 700);
      PutCount(i, 10 + i);
    }
  }

  static const Layout& layout() { return GetParam(); }
  static uint64_t Head(int generation) {
    return kAddress + generation * layout().generation_size;
  }
  static uint64_t Object(int index) { return kObjects + index * 64; }

  // Makes `after` the next of `before`.
  void Link(uint64_t before, uint64_t after) {
    memory_.Put(before, after);
    memory_.Put(after + 8, before);
  }
  void PutThreshold(int generation, int32_t threshold) {
    memory_.Put(Head(generation) + layout().threshold, threshold);
  }
  void PutCount(int generation, int32_t count) {
    memory_.Put(Head(generation) + layout().count, count);
  }

  absl::Status Prove() { return ProveGenerations(memory_, kAddress, layout()); }
  absl::StatusOr<GcCounts> ReadCounts() {
    return ReadGcCounts(memory_, kAddress, layout());
  }

  FakeMemory memory_;
};

TEST_P(Generations, AreProven) {
  EXPECT_THAT(Prove(), IsOk());
  EXPECT_EQ(memory_.reads(), kReadsOfAProof);
}

TEST_P(Generations, GiveTheirCountsInOneRead) {
  const absl::StatusOr<GcCounts> counts = ReadCounts();
  ASSERT_THAT(counts, IsOk());
  EXPECT_THAT(*counts, ElementsAre(10, 11, 12));
  EXPECT_EQ(memory_.reads(), 1);
}

TEST_P(Generations, AreProvenWithFlagsInTheLinks) {
  memory_.Put(Head(0), Object(0) | 1);
  memory_.Put(Object(0) + 8, Head(0) | 3);
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
  memory_.Put(Head(1), Object(20));
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

TEST_P(Generations, HaveNoEmptyOrMisalignedLinks) {
  for (const uint64_t offset : {0, 8}) {
    for (const uint64_t link : {uint64_t{0}, Object(0) + 4}) {
      const auto right = memory_.Get<uint64_t>(Head(2) + offset);
      memory_.Put(Head(2) + offset, link);
      EXPECT_THAT(ReadCounts(), HasCode(StatusCode::kUnavailable)) << link;
      memory_.Put(Head(2) + offset, right);
    }
  }
  EXPECT_THAT(ReadCounts(), IsOk());
}

TEST_P(Generations, HaveNoLinksOfFlagsAlone) {
  memory_.Put(Head(1), uint64_t{1});
  EXPECT_THAT(ReadCounts(), HasCode(StatusCode::kUnavailable));
}

TEST_P(Generations, AreNotReadWhereNothingIsMapped) {
  EXPECT_THAT(ProveGenerations(memory_, 0x1000, layout()),
              HasCode(StatusCode::kUnavailable));
  EXPECT_THAT(ReadGcCounts(memory_, 0x1000, layout()),
              HasCode(StatusCode::kUnavailable));
}

TEST_P(Generations, AreNotReadPastTheEndOfAMapping) {
  EXPECT_THAT(ReadGcCounts(memory_, kAddress + 8, layout()),
              HasCode(StatusCode::kUnavailable));
}

TEST_P(Generations, AreNotReadAtTheEndOfTheAddressSpace) {
  EXPECT_THAT(ProveGenerations(memory_, ~uint64_t{7}, layout()),
              HasCode(StatusCode::kUnavailable));
  EXPECT_THAT(ReadGcCounts(memory_, ~uint64_t{7}, layout()),
              HasCode(StatusCode::kUnavailable));
}

INSTANTIATE_TEST_SUITE_P(Layouts, Generations,
                         testing::Values(LayoutOf(24, 16, 20),
                                         LayoutOf(40, 32, 36),
                                         LayoutOf(48, 32, 36)),
                         [](const testing::TestParamInfo<Layout>& info) {
                           return "Of" +
                                  std::to_string(info.param.generation_size) +
                                  "Bytes";
                         });

TEST(GenerationsOfALayoutLargerThanAny, AreNotRead) {
  FakeMemory memory;
  memory.Map(kAddress, std::string(4096, '\0'));
  EXPECT_FALSE(ReadGcCounts(memory, kAddress, LayoutOf(128, 16, 20)).ok());
  EXPECT_FALSE(ReadGcCounts(memory, kAddress, LayoutOf(24, 16, 61)).ok());
  EXPECT_EQ(memory.reads(), 0);
}

}  // namespace
}  // namespace pycheck

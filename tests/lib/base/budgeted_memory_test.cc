#include "lib/base/budgeted_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include "tests/testing/fake_memory.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

using absl::StatusCode;

constexpr uint64_t kAddress = 0x1000;
constexpr int kManyReads = std::numeric_limits<int>::max();
constexpr int64_t kManyBytes = std::numeric_limits<int64_t>::max();

class BudgetedMemoryTest : public testing::Test {
 protected:
  BudgetedMemoryTest() { memory_.Map(kAddress, std::string(64, 'x')); }

  FakeMemory memory_;
};

TEST_F(BudgetedMemoryTest, ReadsWhatIsThere) {
  const BudgetedMemory budgeted(memory_, 1, 1);
  EXPECT_THAT(budgeted.Read<char>(kAddress), IsOkAndHolds('x'));
}

TEST_F(BudgetedMemoryTest, PassesOnWhyNothingCouldBeRead) {
  const BudgetedMemory budgeted(memory_, kManyReads, kManyBytes);
  EXPECT_THAT(budgeted.Read<char>(0),
              StatusIs(StatusCode::kOutOfRange, "unmapped"));
  memory_.Vanish();
  EXPECT_THAT(budgeted.Read<char>(kAddress), HasCode(StatusCode::kNotFound));
}

TEST_F(BudgetedMemoryTest, StopsAfterSoManyReads) {
  const BudgetedMemory budgeted(memory_, 3, kManyBytes);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(budgeted.IsSpent());
    EXPECT_THAT(budgeted.Read<char>(kAddress), IsOk());
  }
  EXPECT_TRUE(budgeted.IsSpent());
  EXPECT_THAT(budgeted.Read<char>(kAddress),
              StatusIs(StatusCode::kOutOfRange, "too much to read"));
}

TEST_F(BudgetedMemoryTest, StopsAfterSoManyBytes) {
  const BudgetedMemory budgeted(memory_, kManyReads, 16);
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(budgeted.IsSpent());
    EXPECT_THAT(budgeted.Read<uint64_t>(kAddress), IsOk());
  }
  EXPECT_TRUE(budgeted.IsSpent());
  EXPECT_THAT(budgeted.Read<char>(kAddress), HasCode(StatusCode::kOutOfRange));
}

TEST_F(BudgetedMemoryTest, StopsAfterAReadOfMoreThanWasLeft) {
  const BudgetedMemory budgeted(memory_, kManyReads, 9);
  EXPECT_THAT(budgeted.Read<uint64_t>(kAddress), IsOk());
  EXPECT_FALSE(budgeted.IsSpent());
  EXPECT_THAT(budgeted.Read<uint64_t>(kAddress), IsOk());
  EXPECT_TRUE(budgeted.IsSpent());
}

TEST_F(BudgetedMemoryTest, CountsReadsThatFail) {
  const BudgetedMemory budgeted(memory_, 2, kManyBytes);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(budgeted.Read<char>(0), HasCode(StatusCode::kOutOfRange));
  }
  EXPECT_THAT(budgeted.Read<char>(kAddress), HasCode(StatusCode::kOutOfRange));
}

TEST_F(BudgetedMemoryTest, ReadsNothingAnyMoreWhenItIsSpent) {
  const BudgetedMemory budgeted(memory_, 1, kManyBytes);
  for (int i = 0; i < 5; ++i) {
    (void)budgeted.Read<char>(kAddress);
  }
  EXPECT_EQ(memory_.reads(), 1);
}

}  // namespace
}  // namespace pycheck

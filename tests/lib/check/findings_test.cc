#include "lib/check/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pycheck {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kProcesses = Findings::Topic::kProcesses;
constexpr auto kCounts = Findings::Topic::kCounts;

TEST(Findings, AreSaidByTopic) {
  Findings findings;
  findings.Add(kProcesses, "b", "two are late");
  findings.Add(kProcesses, "a", "one is left out");
  findings.Add(kCounts, "a", "none is readable");
  EXPECT_EQ(findings.Message(kProcesses), "one is left out. two are late");
  EXPECT_EQ(findings.Message(kCounts), "none is readable");
  EXPECT_TRUE(findings.Has(kProcesses, "b"));
  EXPECT_FALSE(findings.Has(kCounts, "b"));
}

TEST(Findings, AreNewUntilTheNextRun) {
  Findings findings;
  findings.Add(kCounts, "a", "1 of 2");
  EXPECT_THAT(findings.New(), ElementsAre("1 of 2"));
  findings.Clear();
  EXPECT_EQ(findings.Message(kCounts), "");
  findings.Add(kCounts, "a", "2 of 2");
  findings.Add(kCounts, "b", "another");
  EXPECT_THAT(findings.New(), ElementsAre("another"));
}

TEST(Findings, AreNewAgainWhenTheyHaveBeenGone) {
  Findings findings;
  findings.Add(kCounts, "a", "1 of 2");
  findings.Clear();
  EXPECT_THAT(findings.New(), IsEmpty());
  findings.Clear();
  findings.Add(kCounts, "a", "1 of 2");
  EXPECT_THAT(findings.New(), ElementsAre("1 of 2"));
}

}  // namespace
}  // namespace pycheck

#include "lib/procfs/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <limits>
#include <string>

#include "lib/base/file.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::Optional;

constexpr std::string_view kStatus =
    "Name:\tPid:\t1\n"
    "State:\tS (sleeping)\n"
    "Pid:\t4711\n"
    "NSpid:\t4711\t7\n"
    "Groups:\t \n"
    "voluntary_ctxt_switches:\t12\n"
    "nonvoluntary_ctxt_switches:\t34\n";

TEST(FindStatusField, GivesTheValueWithoutBlanks) {
  EXPECT_THAT(FindStatusField(kStatus, "State"),
              Optional(std::string_view("S (sleeping)")));
}

TEST(FindStatusField, KeepsTabsInTheValue) {
  EXPECT_THAT(FindStatusField(kStatus, "NSpid"),
              Optional(std::string_view("4711\t7")));
}

TEST(FindStatusField, IsNotFooledByTheProcessesName) {
  EXPECT_THAT(FindStatusField(kStatus, "Pid"),
              Optional(std::string_view("4711")));
}

TEST(FindStatusField, GivesAnEmptyValue) {
  EXPECT_THAT(FindStatusField(kStatus, "Groups"),
              Optional(std::string_view("")));
}

TEST(FindStatusField, FindsNoPartOfAName) {
  EXPECT_EQ(FindStatusField(kStatus, "id"), std::nullopt);
  EXPECT_EQ(FindStatusField(kStatus, "Stat"), std::nullopt);
}

TEST(FindStatusField, FindsNothingInAnEmptyText) {
  EXPECT_EQ(FindStatusField("", "Pid"), std::nullopt);
}

TEST(ParseThreadContextSwitches, DoesNotMixTheKinds) {
  const absl::StatusOr<ContextSwitches> switches =
      ParseThreadContextSwitches(kStatus);
  ASSERT_THAT(switches, IsOk());
  EXPECT_EQ(switches->voluntary, 12u);
  EXPECT_EQ(switches->involuntary, 34u);
}

TEST(ParseThreadContextSwitches, CountsThoseOfItsOwnThread) {
  rusage before;
  rusage after;
  ASSERT_EQ(getrusage(RUSAGE_THREAD, &before), 0);
  const absl::StatusOr<std::string> text =
      ReadWholeFile("/proc/thread-self/status", 16384);
  ASSERT_EQ(getrusage(RUSAGE_THREAD, &after), 0);
  ASSERT_THAT(text, IsOk());
  const absl::StatusOr<ContextSwitches> switches =
      ParseThreadContextSwitches(*text);
  ASSERT_THAT(switches, IsOk());
  EXPECT_GE(switches->voluntary, static_cast<uint64_t>(before.ru_nvcsw));
  EXPECT_LE(switches->voluntary, static_cast<uint64_t>(after.ru_nvcsw));
  EXPECT_GE(switches->involuntary, static_cast<uint64_t>(before.ru_nivcsw));
  EXPECT_LE(switches->involuntary, static_cast<uint64_t>(after.ru_nivcsw));
}

TEST(ParseThreadContextSwitches, ReadsTheLargestCount) {
  EXPECT_EQ(ParseThreadContextSwitches(
                "voluntary_ctxt_switches:\t18446744073709551615\n"
                "nonvoluntary_ctxt_switches:\t0\n")
                ->voluntary,
            std::numeric_limits<uint64_t>::max());
}

class MalformedSwitches : public testing::TestWithParam<const char*> {};

TEST_P(MalformedSwitches, AreRefused) {
  EXPECT_THAT(ParseThreadContextSwitches(GetParam()),
              HasCode(StatusCode::kInvalidArgument));
}

INSTANTIATE_TEST_SUITE_P(
    ParseThreadContextSwitches, MalformedSwitches,
    testing::Values(
        "", "voluntary_ctxt_switches:\t1\n", "nonvoluntary_ctxt_switches:\t1\n",
        "voluntary_ctxt_switches:\nnonvoluntary_ctxt_switches:\t1\n",
        "voluntary_ctxt_switches:\t-1\nnonvoluntary_ctxt_switches:\t1\n",
        "voluntary_ctxt_switches:\t1\nnonvoluntary_ctxt_switches:\tmany\n"));

TEST(ParseRealUser, TakesTheFirstOfTheIds) {
  EXPECT_THAT(ParseRealUser("Name:\tUid:\nUid:\t1000\t0\t1\t2\nGid:\t5\n"),
              IsOkAndHolds(1000U));
}

TEST(ParseRealUser, RefusesATextWithoutOne) {
  for (const char* text : {"", "Uid:\t\n", "Uid:\tx\t0\t0\t0\n", "Gid:\t1\n"}) {
    EXPECT_THAT(ParseRealUser(text), HasCode(StatusCode::kInvalidArgument))
        << text;
  }
}

}  // namespace
}  // namespace pycheck

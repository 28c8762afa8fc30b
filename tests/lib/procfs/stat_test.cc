#include "lib/procfs/stat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "tests/testing/child_process.h"
#include "tests/testing/emulation.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

using absl::StatusCode;

// The fields from the state on, in which a field's value tells
// its number.
constexpr std::string_view kFields =
    "S 1004 1005 1006 1007 1008 1009 1010 1011 1012 1013 1014 1015 1016 1017 "
    "1018 1019 1020 1021 1022 1023 1024 1025 1026 1027 1028 1029 1030";

std::string StatOf(std::string_view comm, std::string_view fields = kFields) {
  return absl::StrCat("4711 (", comm, ") ", fields, "\n");
}

// A stat in which the value of one field is another.
std::string StatWith(int field, std::string_view value) {
  std::string text = StatOf("python");
  const std::string number = absl::StrCat(1000 + field);
  return text.replace(text.find(number), number.size(), value);
}

TEST(ParseStat, TakesEachValueFromItsField) {
  const std::string text = StatOf("python");
  const absl::StatusOr<Stat> stat = ParseStat(text);
  ASSERT_THAT(stat, IsOk());
  EXPECT_EQ(stat->comm, "python");
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->parent, 1004);
  EXPECT_EQ(stat->user_ticks, 1014u);
  EXPECT_EQ(stat->system_ticks, 1015u);
  EXPECT_EQ(stat->thread_count, 1020);
  EXPECT_EQ(stat->start_ticks, 1022u);
  EXPECT_EQ(stat->size_bytes, 1023u);
  EXPECT_EQ(stat->start_stack, 1028u);
}

class CommandName : public testing::TestWithParam<const char*> {};

TEST_P(CommandName, IsReadWhatever) {
  const std::string text = StatOf(GetParam());
  const absl::StatusOr<Stat> stat = ParseStat(text);
  ASSERT_THAT(stat, IsOk());
  EXPECT_EQ(stat->comm, GetParam());
  EXPECT_EQ(stat->user_ticks, 1014u);
}

INSTANTIATE_TEST_SUITE_P(ParseStat, CommandName,
                         testing::Values("", " ", "gunicorn: worker",
                                         "(sd-pam)", ") S 1 (", "a) R 1 2 3",
                                         "))((", "caf\xc3\xa9", "\xff\xfe",
                                         "a\nb"));

TEST(ParseStat, NeedsNoFieldAfterTheLastThatItReads) {
  std::string text = StatOf("python");
  text.resize(text.find(" 1029"));
  EXPECT_EQ(ParseStat(text)->start_ticks, 1022u);
}

TEST(ParseStat, ReadsTheLargestTimes) {
  const std::string largest =
      absl::StrCat(std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(ParseStat(StatWith(14, largest))->user_ticks,
            std::numeric_limits<uint64_t>::max());
}

TEST(ParseStat, ReadsItsOwnProcess) {
  if (IsEmulated()) GTEST_SKIP() << "an emulator makes /proc/self/stat up";
  const absl::StatusOr<std::string> text =
      ReadWholeFile("/proc/self/stat", 4096);
  ASSERT_THAT(text, IsOk());
  const absl::StatusOr<Stat> stat = ParseStat(*text);
  ASSERT_THAT(stat, IsOk());
  EXPECT_EQ(stat->state, 'R');
  EXPECT_EQ(stat->thread_count, 1);
  EXPECT_GT(stat->start_ticks, 0u);
}

class MalformedStat : public testing::TestWithParam<std::string> {};

TEST_P(MalformedStat, IsRefused) {
  EXPECT_THAT(ParseStat(GetParam()), HasCode(StatusCode::kInvalidArgument));
}

INSTANTIATE_TEST_SUITE_P(NoCommandName, MalformedStat,
                         testing::Values("", "\n", "4711", "4711 (python",
                                         "4711 python) S 1", ")(",
                                         "4711 (python)", "4711 (python) "));

INSTANTIATE_TEST_SUITE_P(
    FieldMissing, MalformedStat,
    testing::Values(StatOf("python", ""), StatOf("python", "S"),
                    StatOf("python", kFields.substr(0, 80)),
                    StatOf("python",
                           kFields.substr(0, kFields.find(" 1022")))));

INSTANTIATE_TEST_SUITE_P(
    NotANumber, MalformedStat,
    testing::Values(StatWith(14, "x"), StatWith(14, "-1"), StatWith(14, ""),
                    StatWith(15, "1.5"), StatWith(15, "0x10"),
                    StatWith(20, "four"), StatWith(22, "-5"),
                    StatWith(22, "18446744073709551616"),
                    StatOf("python", absl::StrCat("SS", kFields.substr(1)))));

TEST(TicksPerSecond, IsTheKernelsUnit) {
  EXPECT_EQ(TicksPerSecond(), sysconf(_SC_CLK_TCK));
  EXPECT_GT(TicksPerSecond(), 0);
}

TEST(ReadStat, ReadsAProcessByItsPid) {
  StatBuffer buffer;
  const absl::StatusOr<Stat> stat =
      ReadStat(*Procfs::Open("/proc"), getpid(), buffer);
  ASSERT_THAT(stat, IsOk());
  EXPECT_EQ(stat->parent, getppid());
  EXPECT_GT(stat->size_bytes, 0U);
  EXPECT_FALSE(HasEnded(*stat));
}

TEST(ReadStat, TellsAZombie) {
  const ChildProcess child(TellAndWait);
  child.Kill();
  StatBuffer buffer;
  const absl::StatusOr<Stat> stat =
      ReadStat(*Procfs::Open("/proc"), child.pid(), buffer);
  ASSERT_THAT(stat, IsOk());
  EXPECT_TRUE(HasEnded(*stat));
  EXPECT_EQ(stat->size_bytes, 0U);
}

TEST(ReadStat, FindsNoProcessThatWasReaped) {
  ChildProcess child(TellAndWait);
  const pid_t pid = child.pid();
  child.Reap();
  StatBuffer buffer;
  EXPECT_THAT(ReadStat(*Procfs::Open("/proc"), pid, buffer),
              HasCode(StatusCode::kNotFound));
}

}  // namespace
}  // namespace pycheck

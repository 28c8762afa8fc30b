#include "lib/selection/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/testing/child_process.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_file.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

using Pids = absl::StatusOr<std::vector<pid_t>>;

Pids Selected(const Selector& selector) {
  return SelectPids(selector, *Procfs::Open("/proc"));
}

// A word that no process outside this test has in its name or arguments.
std::string Unique(std::string_view word) {
  return absl::StrCat(word, getpid());
}

CommandLineSelector Matching(const std::vector<std::string>& patterns) {
  CommandLineSelector selector;
  for (const std::string& pattern : patterns) {
    selector.patterns.push_back(
        std::make_shared<const re2::RE2>(pattern, re2::RE2::Latin1));
  }
  return selector;
}

TEST(SelectPid, GivesItWhetherOrNotItRuns) {
  EXPECT_THAT(*Selected(PidSelector{4194304}), ElementsAre(4194304));
}

TEST(SelectName, FindsEveryProcessOfThatNameInAscendingOrder) {
  const ChildProcess first = NamedChild(Unique("a ("));
  const ChildProcess other = NamedChild(Unique("b ("));
  const ChildProcess second = NamedChild(Unique("a ("));
  EXPECT_THAT(*Selected(NameSelector{{Unique("a (")}}),
              ElementsAre(std::min(first.pid(), second.pid()),
                          std::max(first.pid(), second.pid())));
}

TEST(SelectName, FindsAnyOfSeveralNames) {
  const ChildProcess first = NamedChild(Unique("c"));
  const ChildProcess second = NamedChild(Unique("d"));
  EXPECT_THAT(*Selected(NameSelector{{Unique("d"), Unique("c")}}),
              testing::UnorderedElementsAre(first.pid(), second.pid()));
}

TEST(SelectName, TakesWholeNamesInTheirCase) {
  const ChildProcess child = NamedChild(Unique("e"));
  EXPECT_THAT(*Selected(NameSelector{{Unique("")}}), IsEmpty());
  EXPECT_THAT(*Selected(NameSelector{{Unique("E")}}), IsEmpty());
}

TEST(SelectName, DoesNotTakeANameForAPattern) {
  const ChildProcess child = NamedChild(Unique("f"));
  EXPECT_THAT(*Selected(NameSelector{{Unique(".")}}), IsEmpty());
}

TEST(SelectName, ForgetsAProcessThatWasReaped) {
  ChildProcess child = NamedChild(Unique("g"));
  child.Reap();
  EXPECT_THAT(*Selected(NameSelector{{Unique("g")}}), IsEmpty());
}

TEST(SelectCommandLine, FindsAPatternAnywhereInIt) {
  const ChildProcess child = ShellChild({"gunicorn", Unique("app-")});
  EXPECT_THAT(*Selected(Matching({Unique("read .*gunicorn app-") + "$"})),
              ElementsAre(child.pid()));
}

TEST(SelectCommandLine, FindsAnyOfSeveralPatterns) {
  const ChildProcess first = ShellChild({Unique("one-")});
  const ChildProcess second = ShellChild({Unique("two-")});
  EXPECT_THAT(*Selected(Matching({Unique("two-") + "$", Unique("one-") + "$"})),
              testing::UnorderedElementsAre(first.pid(), second.pid()));
}

TEST(SelectCommandLine, FindsAPatternInOneThatIsNotUtf8) {
  const ChildProcess child = ShellChild({"\xff", Unique("three-")});
  EXPECT_THAT(*Selected(Matching({Unique("read line . three-") + "$"})),
              ElementsAre(child.pid()));
}

TEST(SelectCommandLine, DoesNotFindAZombie) {
  const ChildProcess child = ShellChild({Unique("four-")});
  child.Kill();
  EXPECT_THAT(*Selected(Matching({Unique("four-") + "$"})), IsEmpty());
}

TEST(SelectCommandLine, NeverFindsAnEmptyOne) {
  const ChildProcess child(TellAndWait);
  child.Kill();
  EXPECT_THAT(*Selected(Matching({".*"})),
              testing::Not(testing::Contains(child.pid())));
}

class PidFile : public testing::TestWithParam<const char*> {};

TEST_P(PidFile, BeginsWithALineOfOneNumber) {
  const TemporaryFile file(GetParam());
  EXPECT_THAT(*Selected(PidFileSelector{file.path()}), ElementsAre(4711));
}

INSTANTIATE_TEST_SUITE_P(SelectPidFile, PidFile,
                         testing::Values("4711", "4711\n", "  4711\t\r\n\n",
                                         "4711\n4712\n", "4711\n/data\n",
                                         "04711"));

class BadPidFile : public testing::TestWithParam<std::string> {};

TEST_P(BadPidFile, IsRefusedWithTheRemedy) {
  const TemporaryFile file(GetParam());
  EXPECT_THAT(
      Selected(PidFileSelector{file.path()}),
      StatusIs(
          StatusCode::kInvalidArgument,
          testing::AllOf(
              StartsWith(absl::StrCat("pid_file: ", file.path(), " holds")),
              HasSubstr("not a process id; its first line must be one "
                        "number"))));
}

INSTANTIATE_TEST_SUITE_P(SelectPidFile, BadPidFile,
                         testing::Values("", "\n", "gunicorn", "-4711", "0",
                                         "-1", "4711 4712", "\n4711", "4711;",
                                         "12.5", "0x1267", "2147483648",
                                         "99999999999999999999",
                                         std::string("47\0011", 4),
                                         std::string(4096, '9')));

TEST(SelectPidFile, ShowsWhatABadFileHolds) {
  const TemporaryFile file("pid\x01 \"" + std::string(200, 'x'));
  EXPECT_THAT(
      Selected(PidFileSelector{file.path()}),
      StatusIs(StatusCode::kInvalidArgument,
               absl::StrCat("pid_file: ", file.path(), " holds \"pid\\x01 \\\"",
                            std::string(74, 'x'),
                            "\", not a process id; its first line must "
                            "be one number")));
}

TEST(SelectPidFile, NamesAMissingFileAndTheRemedy) {
  EXPECT_THAT(
      Selected(PidFileSelector{"/nowhere/app.pid"}),
      StatusIs(StatusCode::kNotFound,
               testing::AllOf(
                   StartsWith("pid_file: cannot open /nowhere/app.pid"),
                   HasSubstr("; check the path, and that the Agent's user may "
                             "read the file"))));
}

TEST(SelectPidFile, RefusesADirectory) {
  const TemporaryDirectory directory;
  EXPECT_THAT(Selected(PidFileSelector{directory.path()}),
              StatusIs(StatusCode::kFailedPrecondition,
                       HasSubstr("cannot read " + directory.path())));
}

TEST(SelectPidFile, RefusesAFileThatIsTooLong) {
  const TemporaryFile file(std::string(4097, '1'));
  EXPECT_THAT(Selected(PidFileSelector{file.path()}),
              StatusIs(StatusCode::kOutOfRange,
                       HasSubstr("is longer than 4096 bytes")));
}

TEST(SelectPidFile, DoesNotWaitForTheWriterOfAFifo) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(Selected(PidFileSelector{path}),
              HasCode(StatusCode::kInvalidArgument));
}

TEST(SelectPidFile, ReadsTheFileAnewEachTime) {
  const TemporaryFile file("1");
  EXPECT_THAT(*Selected(PidFileSelector{file.path()}), ElementsAre(1));
  std::ofstream(file.path()) << "2";
  EXPECT_THAT(*Selected(PidFileSelector{file.path()}), ElementsAre(2));
}

}  // namespace
}  // namespace pycheck

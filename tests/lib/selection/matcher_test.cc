#include "lib/selection/matcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "tests/testing/apart.h"
#include "tests/testing/child_process.h"
#include "tests/testing/patterns.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_file.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

absl::StatusOr<Verdict> Judged(Criteria criteria, pid_t pid) {
  Matcher matcher(std::move(criteria));
  EXPECT_THAT(matcher.Prepare(), IsOk());
  return matcher.Judge(*Procfs::Open("/proc"), pid);
}

bool Selects(Selector selector, pid_t pid) {
  const absl::StatusOr<Verdict> verdict =
      Judged({.selector = std::move(selector)}, pid);
  EXPECT_THAT(verdict, IsOk());
  return verdict->selected;
}

bool SelectsLine(const std::vector<std::string>& patterns, pid_t pid) {
  return Selects(CommandLineSelector{Patterns(patterns)}, pid);
}

TEST(MatcherOfNames, TakesAnyOfSeveral) {
  const ChildProcess child = NamedChild("a (b) c");
  EXPECT_TRUE(Selects(NameSelector{{"other", "a (b) c"}}, child.pid()));
  EXPECT_FALSE(Selects(NameSelector{{"other"}}, child.pid()));
}

TEST(MatcherOfNames, TakesWholeNamesInTheirCase) {
  const ChildProcess child = NamedChild("worker");
  EXPECT_FALSE(Selects(NameSelector{{"work", "Worker"}}, child.pid()));
}

TEST(MatcherOfNames, DoesNotTakeANameForAPattern) {
  const ChildProcess child = NamedChild("worker");
  EXPECT_FALSE(Selects(NameSelector{{"w.*"}}, child.pid()));
}

TEST(MatcherOfNames, DoesNotLookAtThreads) {
  const ChildProcess child([](const Channel& channel) {
    std::thread([&] {
      prctl(PR_SET_NAME, "a thread");
      TellAndWait(channel);
    }).join();
  });
  EXPECT_FALSE(Selects(NameSelector{{"a thread"}}, child.pid()));
}

TEST(MatcherOfCommandLines, FindsAPatternAnywhereInIt) {
  const ChildProcess child = ShellChild({"gunicorn", "app"});
  EXPECT_TRUE(SelectsLine({"read .*gunicorn app$"}, child.pid()));
  EXPECT_TRUE(SelectsLine({"none", "line g"}, child.pid()));
  EXPECT_FALSE(SelectsLine({"^gunicorn"}, child.pid()));
}

TEST(MatcherOfCommandLines, FindsATextThatIsNoPatternOfItself) {
  const ChildProcess child = ShellChild({"c(1)?"});
  EXPECT_TRUE(SelectsLine({"c(1)?"}, child.pid()));
}

TEST(MatcherOfCommandLines, FindsAPatternInOneThatIsNotUtf8) {
  const ChildProcess child = ShellChild({"\xff", "word"});
  EXPECT_TRUE(SelectsLine({"read line . word$"}, child.pid()));
}

TEST(MatcherOfCommandLines, TakesCharactersForCharacters) {
  const ChildProcess child = ShellChild({"caf\xc3\xa9"});
  EXPECT_TRUE(SelectsLine({"caf.$"}, child.pid()));
  EXPECT_TRUE(SelectsLine({"caf[\xc3\xa9]$"}, child.pid()));
  EXPECT_TRUE(SelectsLine({"(?i)caf\xc3\x89$"}, child.pid()));
  EXPECT_FALSE(SelectsLine({"caf..$"}, child.pid()));
}

TEST(MatcherOfCommandLines, FindsAPatternBehindTwoMebibytes) {
  std::vector<std::string> arguments(15, std::string(130'000, 'x'));
  arguments.emplace_back("word");
  const ChildProcess child = ShellChild(arguments);
  EXPECT_TRUE(SelectsLine({"x word$"}, child.pid()));
}

TEST(MatcherOfCommandLines, NeverFindsAnEmptyOne) {
  const ChildProcess child = ShellChild({"word"});
  EXPECT_TRUE(SelectsLine({".*"}, child.pid()));
  child.Kill();
  EXPECT_FALSE(SelectsLine({".*"}, child.pid()));
}

TEST(MatcherOfPids, TakesTheOneThatIsNamed) {
  EXPECT_TRUE(Selects(PidSelector{4711}, 4711));
  EXPECT_FALSE(Selects(PidSelector{4711}, 4712));
}

TEST(MatcherOfPidFiles, TakesTheOneThatIsInTheFileNow) {
  const TemporaryFile file("4711\n");
  Matcher matcher({.selector = PidFileSelector{file.path()}});
  ASSERT_THAT(matcher.Prepare(), IsOk());
  EXPECT_EQ(matcher.pid(), 4711);
  std::ofstream(file.path()) << "4712\n";
  ASSERT_THAT(matcher.Prepare(), IsOk());
  EXPECT_EQ(matcher.pid(), 4712);
}

TEST(MatcherOfPidFiles, SaysWhatIsWrongWithTheFile) {
  Matcher matcher({.selector = PidFileSelector{"/nowhere/app.pid"}});
  EXPECT_THAT(matcher.Prepare(),
              StatusIs(StatusCode::kNotFound, HasSubstr("/nowhere/app.pid")));
}

TEST(MatcherOfCgroups, TakesNeitherUnitNorContainerThatIsNotThere) {
  EXPECT_FALSE(Selects(ServiceUnitSelector{"no-such.service"}, getpid()));
  EXPECT_FALSE(Selects(ContainerSelector{std::string(64, 'f')}, getpid()));
}

// A process in a cgroup as systemd, or a container's runtime, makes one.
TEST(MatcherOfCgroups, TakesAProcessByItsUnitItsPodOrItsContainer) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  if (!absl::StrContains(*ReadWholeFile("/proc/filesystems", 65536),
                         "cgroup2")) {
    GTEST_SKIP() << "no cgroups of version 2 here";
  }
  const TemporaryDirectory directory;
  RunApart([&] {
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(mount("none", "/", nullptr, MS_PRIVATE | MS_REC, nullptr), 0);
    ASSERT_EQ(mount("none", directory.path().c_str(), "cgroup2", 0, nullptr),
              0);
    ChildProcess child(TellAndWait);
    const std::string id(64, 'c');
    const std::string uid(32, 'd');
    const std::string unit =
        absl::StrCat("matcher-test-", getpid(), ".service");
    const std::string cgroup = directory.File(unit);
    const std::string pod = cgroup + "/pod" + uid;
    const std::string inner = pod + "/docker-" + id + ".scope";
    for (const std::string& path : {cgroup, pod, inner}) {
      ASSERT_EQ(mkdir(path.c_str(), 0755), 0);
    }
    std::ofstream(cgroup + "/cgroup.procs") << child.pid();
    EXPECT_TRUE(Selects(ServiceUnitSelector{unit}, child.pid()));
    EXPECT_FALSE(Selects(ContainerSelector{id}, child.pid()));
    EXPECT_FALSE(Selects(PodSelector{uid}, child.pid()));
    std::ofstream(inner + "/cgroup.procs") << child.pid();
    EXPECT_TRUE(Selects(ServiceUnitSelector{unit}, child.pid()));
    EXPECT_TRUE(Selects(ContainerSelector{id.substr(0, 12)}, child.pid()));
    EXPECT_TRUE(Selects(PodSelector{uid}, child.pid()));
    EXPECT_FALSE(Selects(ServiceUnitSelector{unit}, getpid()));
    child.Reap();
    for (const std::string& path : {inner, pod, cgroup}) {
      EXPECT_EQ(rmdir(path.c_str()), 0);
    }
  });
}

TEST(MatcherOfAll, TakesEveryProcessThatHasMemory) {
  EXPECT_TRUE(Selects(DiscoverSelector{}, getpid()));
  const ChildProcess child(TellAndWait);
  EXPECT_TRUE(Selects(DiscoverSelector{}, child.pid()));
  child.Kill();
  EXPECT_FALSE(Selects(DiscoverSelector{}, child.pid()));
}

TEST(Matcher, KeepsThoseOfTheUserByNameOrNumber) {
  const Selector own = PidSelector{getpid()};
  for (const std::string& user :
       {absl::StrCat(getuid()), std::string(getuid() == 0 ? "root" : "")}) {
    EXPECT_TRUE(Judged({.selector = own, .user = user}, getpid())->kept);
  }
  EXPECT_FALSE(
      Judged({.selector = own, .user = absl::StrCat(getuid() + 1)}, getpid())
          ->kept);
}

TEST(Matcher, NamesAUserWhoDoesNotExist) {
  Matcher matcher({.selector = PidSelector{1}, .user = "no-such-user"});
  EXPECT_THAT(matcher.Prepare(),
              StatusIs(StatusCode::kNotFound,
                       "instance option \"user\": there is no user "
                       "\"no-such-user\" here; write the name of one, or, "
                       "where the Agent does not know the machine's users, as "
                       "in a container, the number"));
}

TEST(Matcher, DoesNotKeepWhatIsExcluded) {
  const ChildProcess child = ShellChild({"gunicorn", "app"});
  const Selector one = PidSelector{child.pid()};
  EXPECT_FALSE(
      Judged({.selector = one, .exclude = Patterns({"none", "g.*app$"})},
             child.pid())
          ->kept);
  EXPECT_TRUE(
      Judged({.selector = one, .exclude = Patterns({"none"})}, child.pid())
          ->kept);
}

TEST(Matcher, SaysThatAProcessHasEnded) {
  ChildProcess child(TellAndWait);
  const pid_t pid = child.pid();
  child.Reap();
  EXPECT_THAT(Judged({.selector = NameSelector{{"x"}}}, pid),
              HasCode(StatusCode::kNotFound));
}

}  // namespace
}  // namespace pycheck

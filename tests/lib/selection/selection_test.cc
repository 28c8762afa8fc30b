#include "lib/selection/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/procfs/cpu_clock.h"
#include "tests/testing/apart.h"
#include "tests/testing/child_process.h"
#include "tests/testing/patterns.h"
#include "tests/testing/reads.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_file.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

const Deadline kInAMinute{absl::Minutes(1)};
const Deadline kNow{absl::ZeroDuration()};

// A word that no process outside this test has in its name or arguments.
std::string Unique(std::string_view word) {
  return absl::StrCat(word, getpid());
}

Criteria Named(const std::vector<std::string>& names) {
  return {.selector = NameSelector{names}};
}

std::vector<pid_t> ChosenBy(Selection& selection,
                            const Deadline& deadline = kInAMinute) {
  EXPECT_THAT(selection.Update(*Procfs::Open("/proc"), deadline), IsOk());
  std::vector<pid_t> pids;
  for (const Chosen& chosen : selection.chosen()) pids.push_back(chosen.pid);
  EXPECT_TRUE(std::is_sorted(pids.begin(), pids.end()));
  return pids;
}

// A child that takes each name when it is told to.
ChildProcess RenamingChild(const std::vector<std::string>& names) {
  return ChildProcess([&](const Channel& channel) {
    for (const std::string& name : names) {
      prctl(PR_SET_NAME, name.c_str());
      TellAndWait(channel);
    }
  });
}

void Advance(const ChildProcess& child) {
  child.channel().Tell();
  child.channel().Await();
}

TEST(Selection, FollowsProcessesAsTheyComeAndGo) {
  Selection selection(Named({Unique("a")}));
  EXPECT_THAT(ChosenBy(selection), IsEmpty());
  ChildProcess first = NamedChild(Unique("a"));
  const ChildProcess other = NamedChild(Unique("b"));
  EXPECT_THAT(ChosenBy(selection), ElementsAre(first.pid()));
  const ChildProcess second = NamedChild(Unique("a"));
  EXPECT_THAT(ChosenBy(selection),
              UnorderedElementsAre(first.pid(), second.pid()));
  first.Reap();
  EXPECT_THAT(ChosenBy(selection), ElementsAre(second.pid()));
}

TEST(Selection, NoticesAnotherNameWithoutAnotherProgram) {
  Selection selection(Named({Unique("a")}));
  const ChildProcess child =
      RenamingChild({Unique("b"), Unique("a"), Unique("c")});
  EXPECT_THAT(ChosenBy(selection), IsEmpty());
  Advance(child);
  EXPECT_THAT(ChosenBy(selection), ElementsAre(child.pid()));
  Advance(child);
  EXPECT_THAT(ChosenBy(selection), IsEmpty());
}

TEST(Selection, NoticesAnotherProgram) {
  Selection selection({.selector = CommandLineSelector{
                           Patterns({Unique("read line program-") + "$"})}});
  const ChildProcess child([](const Channel& channel) {
    TellAndWait(channel);
    ExecuteShell(channel, "/bin/sh", {absl::StrCat("program-", getppid())});
  });
  EXPECT_THAT(ChosenBy(selection), IsEmpty());
  Advance(child);
  EXPECT_THAT(ChosenBy(selection), ElementsAre(child.pid()));
}

TEST(Selection, NoticesAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  constexpr uid_t kUser = 4711;
  Selection selection(
      {.selector = NameSelector{{Unique("a")}}, .user = absl::StrCat(kUser)});
  const ChildProcess child([](const Channel& channel) {
    prctl(PR_SET_NAME, absl::StrCat("a", getppid()).c_str());
    TellAndWait(channel);
    if (setuid(kUser) == 0) TellAndWait(channel);
  });
  EXPECT_THAT(ChosenBy(selection), IsEmpty());
  Advance(child);
  EXPECT_THAT(ChosenBy(selection), ElementsAre(child.pid()));
}

TEST(Selection, TellsWhetherAProcessMayHaveChanged) {
  Selection selection(Named({Unique("a")}));
  const ChildProcess child = RenamingChild({Unique("a"), Unique("a")});
  AwaitRest(child.pid());
  const auto may_have_changed = [&] {
    ChosenBy(selection);
    return selection.chosen().size() == 1 &&
           selection.chosen()[0].may_have_changed;
  };
  EXPECT_TRUE(may_have_changed());
  EXPECT_FALSE(may_have_changed());
  Advance(child);
  EXPECT_TRUE(may_have_changed());
}

TEST(Selection, OpensNothingOfProcessesThatRest) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  RunInPidNamespace([] {
    std::deque<ChildProcess> children;
    for (int i = 0; i < 100; ++i) {
      AwaitRest(children.emplace_back(TellAndWait).pid());
    }
    for (const Selector& selector : std::initializer_list<Selector>{
             NameSelector{{"no-such-process"}},
             CommandLineSelector{Patterns({"no-such-process"})},
             ServiceUnitSelector{"no-such-process.service"},
             DiscoverSelector{}}) {
      const Procfs procfs = *Procfs::Open("/proc");
      Selection selection({.selector = selector, .collect_children = true});
      ASSERT_THAT(selection.Update(procfs, kInAMinute), IsOk());
      const int64_t before = CountReads();
      ASSERT_THAT(selection.Update(procfs, kInAMinute), IsOk());
      // This process itself has run, and is judged again.
      EXPECT_LT(CountReads() - before, 10);
    }
  });
}

// In a pid namespace the next pid can be chosen, so that a new process gets the
// pid of an old one.
TEST(Selection, JudgesANewProcessWithAnOldPid) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  RunInPidNamespace([] {
    constexpr pid_t kPid = 300;
    Selection selection(Named({"wanted"}));
    for (int i = 0; i < 10; ++i) {
      ChooseNextPid(kPid);
      ChildProcess unwanted = NamedChild("unwanted");
      ASSERT_EQ(unwanted.pid(), kPid);
      EXPECT_THAT(ChosenBy(selection), IsEmpty());
      unwanted.Reap();
      ChooseNextPid(kPid);
      ChildProcess wanted = NamedChild("wanted");
      ASSERT_EQ(wanted.pid(), kPid);
      EXPECT_THAT(ChosenBy(selection), ElementsAre(kPid));
      wanted.Reap();
    }
  });
}

// Where a process's clock cannot be read, as in a container that sees another
// pid namespace's procfs, time decides.
TEST(Selection, NoticesChangesInAnotherPidNamespace) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  const TemporaryDirectory directory;
  RunApart([&] {
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(mount("none", "/", nullptr, MS_PRIVATE | MS_REC, nullptr), 0);
    ASSERT_EQ(mount("proc", directory.path().c_str(), "proc", 0, nullptr), 0);
    const ChildProcess child = RenamingChild({Unique("b"), Unique("a")});
    const std::string name = Unique("a");
    ASSERT_EQ(unshare(CLONE_NEWPID), 0);
    const Channel& channel = child.channel();
    RunApart([&] {
      const Procfs procfs = *Procfs::Open(directory.path());
      ASSERT_FALSE(procfs.has_own_pids());
      Selection selection(Named({name}));
      ASSERT_THAT(selection.Update(procfs, kInAMinute), IsOk());
      EXPECT_THAT(selection.chosen(), IsEmpty());
      channel.Tell();
      channel.Await();
      ASSERT_THAT(selection.Update(procfs, kInAMinute), IsOk());
      ASSERT_THAT(selection.chosen(), SizeIs(1));
      EXPECT_EQ(selection.chosen()[0].pid, child.pid());
    });
    ASSERT_EQ(umount2(directory.path().c_str(), MNT_DETACH), 0);
  });
}

TEST(Selection, ChoosesAPidWithoutLookingForIt) {
  Selection selection({.selector = PidSelector{4194304}});
  EXPECT_THAT(ChosenBy(selection), ElementsAre(4194304));
  EXPECT_EQ(selection.chosen()[0].inode, 0U);
}

TEST(Selection, FollowsThePidFile) {
  const TemporaryFile file("4711");
  Selection selection({.selector = PidFileSelector{file.path()}});
  EXPECT_THAT(ChosenBy(selection), ElementsAre(4711));
  std::ofstream(file.path()) << "4712";
  EXPECT_THAT(ChosenBy(selection), ElementsAre(4712));
}

TEST(Selection, FailsWithoutThePidFile) {
  Selection selection({.selector = PidFileSelector{"/nowhere/app.pid"}});
  EXPECT_THAT(selection.Update(*Procfs::Open("/proc"), kInAMinute),
              HasCode(StatusCode::kNotFound));
  EXPECT_THAT(selection.chosen(), IsEmpty());
}

TEST(Selection, AddsDescendantsOfEveryDegree) {
  const ChildProcess top([](const Channel& channel) {
    const ChildProcess middle([](const Channel& inner) {
      const ChildProcess bottom(TellAndWait);
      TellAndWait(inner);
    });
    prctl(PR_SET_NAME, absl::StrCat("top", getppid()).c_str());
    TellAndWait(channel);
  });
  Selection alone(Named({Unique("top")}));
  EXPECT_THAT(ChosenBy(alone), ElementsAre(top.pid()));
  Selection with_children(
      {.selector = NameSelector{{Unique("top")}}, .collect_children = true});
  EXPECT_THAT(ChosenBy(with_children), SizeIs(3));
  Selection by_pid(
      {.selector = PidSelector{top.pid()}, .collect_children = true});
  EXPECT_EQ(ChosenBy(by_pid), ChosenBy(with_children));
}

// A worker whose master has ended belongs to whoever takes it in, though it has
// done nothing itself.
TEST(Selection, DropsAChildWhoseParentHasEnded) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ChildProcess parent([&](const Channel& channel) {
    prctl(PR_SET_NAME, absl::StrCat("parent", getppid()).c_str());
    if (fork() == 0) {
      // It outlives its parent, and ends with the test.
      prctl(PR_SET_NAME, "child");
      close(ends[1]);
      char byte;
      static_cast<void>(!read(ends[0], &byte, 1));
      _exit(0);
    }
    TellAndWait(channel);
  });
  Selection selection(
      {.selector = NameSelector{{Unique("parent")}}, .collect_children = true});
  ASSERT_THAT(ChosenBy(selection), SizeIs(2));
  const pid_t child = selection.chosen()[0].pid != parent.pid()
                          ? selection.chosen()[0].pid
                          : selection.chosen()[1].pid;
  AwaitRest(child);
  ASSERT_THAT(ChosenBy(selection), SizeIs(2));
  parent.Kill();  // a zombie now
  EXPECT_THAT(ChosenBy(selection), testing::Not(testing::Contains(child)));
  parent.Reap();
  EXPECT_THAT(ChosenBy(selection), IsEmpty());
  close(ends[0]);
  close(ends[1]);
}

TEST(Selection, ExcludesDescendantsToo) {
  const ChildProcess master([](const Channel& channel) {
    prctl(PR_SET_NAME, absl::StrCat("master", getppid()).c_str());
    const ChildProcess excluded = ShellChild({"excluded"});
    const ChildProcess kept = ShellChild({"kept"});
    TellAndWait(channel);
  });
  Selection selection({.selector = NameSelector{{Unique("master")}},
                       .collect_children = true,
                       .exclude = Patterns({"excluded$"})});
  EXPECT_THAT(ChosenBy(selection), SizeIs(2));
}

// What changed in a run that had no time for it is not forgotten.
TEST(Selection, JudgesAgainInALaterRunWhatThereWasNoTimeFor) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  RunInPidNamespace([] {
    const ChildProcess first = RenamingChild({"b", "b"});
    const ChildProcess second = RenamingChild({"b", "a"});
    Selection selection(Named({"a"}));
    const Procfs procfs = *Procfs::Open("/proc");
    ASSERT_THAT(selection.Update(procfs, kInAMinute), IsOk());
    Advance(first);
    Advance(second);
    AwaitRest(first.pid());
    AwaitRest(second.pid());
    ASSERT_THAT(selection.Update(procfs, kNow), IsOk());
    ASSERT_GT(selection.waiting(), 0U);
    ASSERT_THAT(selection.Update(procfs, kInAMinute), IsOk());
    ASSERT_THAT(selection.chosen(), SizeIs(1));
    EXPECT_EQ(selection.chosen()[0].pid, second.pid());
  });
}

// Nobody has missed anything of a process that was born since the processes
// were last listed; of one that is chosen later than it was judged, somebody
// has.
TEST(Selection, KnowsSinceWhenAProcessHasBeenUnseen) {
  Selection selection(Named({Unique("a")}));
  ChosenBy(selection);
  const int64_t before = BootNanoseconds();
  const ChildProcess child = RenamingChild({Unique("a"), "b", Unique("a")});
  ASSERT_THAT(ChosenBy(selection), ElementsAre(child.pid()));
  ASSERT_TRUE(selection.chosen()[0].unseen_until_ns);
  EXPECT_LT(*selection.chosen()[0].unseen_until_ns, before);
  Advance(child);
  ASSERT_THAT(ChosenBy(selection), IsEmpty());
  Advance(child);
  ASSERT_THAT(ChosenBy(selection), ElementsAre(child.pid()));
  EXPECT_FALSE(selection.chosen()[0].unseen_until_ns);
}

TEST(Selection, GoesOnWithWhatItKnowsWhenDescriptorsRunOut) {
  const ChildProcess child = NamedChild(Unique("a"));
  AwaitRest(child.pid());
  RunApart([&] {
    const std::string name = absl::StrCat("a", getppid());
    Selection selection(Named({name}));
    ASSERT_THAT(ChosenBy(selection), ElementsAre(child.pid()));
    ASSERT_THAT(ChosenBy(selection), ElementsAre(child.pid()));
    EXPECT_TRUE(selection.chosen()[0].at_rest_since_ns);
    const Procfs procfs = *Procfs::Open("/proc");
    rlimit limit;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    // A sanitizer needs some for its own checks, but for this one call.
    const rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    const absl::Status status = selection.Update(procfs, kInAMinute);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_THAT(status, IsOk());
    ASSERT_THAT(selection.chosen(), SizeIs(1));
    EXPECT_GT(selection.waiting(), 0U);
    EXPECT_THAT(selection.obstacle(), HasCode(StatusCode::kResourceExhausted));
    // Nobody has looked whether it still does.
    EXPECT_FALSE(selection.chosen()[0].at_rest_since_ns);
  });
}

TEST(Selection, FollowsThePidFileWithChildrenToo) {
  const ChildProcess first(TellAndWait);
  const ChildProcess second(TellAndWait);
  AwaitRest(first.pid());
  AwaitRest(second.pid());
  const TemporaryFile file(absl::StrCat(first.pid()));
  Selection selection(
      {.selector = PidFileSelector{file.path()}, .collect_children = true});
  EXPECT_THAT(ChosenBy(selection), ElementsAre(first.pid()));
  std::ofstream(file.path()) << second.pid();
  EXPECT_THAT(ChosenBy(selection), ElementsAre(second.pid()));
}

// Without time one process is judged in each run, and none is forgotten.
TEST(Selection, JudgesAllInTheEndThoughThereIsNoTime) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  RunInPidNamespace([] {
    std::deque<ChildProcess> children;
    for (int i = 0; i < 10; ++i) {
      const ChildProcess& child =
          children.emplace_back([](const Channel& channel) {
            prctl(PR_SET_NAME, "worker");
            TellAndWait(channel);
          });
      AwaitRest(child.pid());
    }
    Selection selection(Named({"worker"}));
    const Procfs procfs = *Procfs::Open("/proc");
    // One is judged in each run: this process, which runs, now and then again.
    EXPECT_THAT(selection.Update(procfs, kNow), IsOk());
    EXPECT_EQ(selection.waiting(), 10U);
    for (int run = 0; run < 12; ++run) {
      EXPECT_THAT(selection.Update(procfs, kNow), IsOk());
    }
    EXPECT_THAT(selection.chosen(), SizeIs(10));
    EXPECT_LE(selection.waiting(), 1U);
  });
}

}  // namespace
}  // namespace pycheck

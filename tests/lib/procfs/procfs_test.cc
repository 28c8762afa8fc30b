#include "lib/procfs/procfs.h"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/testing/apart.h"
#include "tests/testing/child_process.h"
#include "tests/testing/emulation.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_file.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using testing::UnorderedElementsAre;

Procfs OwnProcfs() { return *Procfs::Open("/proc"); }

std::string NameOf(pid_t pid) {
  const absl::StatusOr<std::string> name = ReadProcessName(OwnProcfs(), pid);
  EXPECT_THAT(name, IsOk());
  return name.value_or("");
}

std::string CommandLineOf(pid_t pid) {
  const absl::StatusOr<std::string> line = ReadCommandLine(OwnProcfs(), pid);
  EXPECT_THAT(line, IsOk());
  return line.value_or("(none)");
}

TEST(ProcfsOpen, TakesAMountedProcfs) {
  const absl::StatusOr<Procfs> procfs = Procfs::Open("/proc");
  ASSERT_THAT(procfs, IsOk());
  EXPECT_EQ(procfs->root(), "/proc");
  EXPECT_EQ(procfs->ProcessPath(4711), "/proc/4711/");
  EXPECT_EQ(procfs->ProcessPath(4711, "stat"), "/proc/4711/stat");
}

TEST(ProcfsOpen, DropsATrailingSlash) {
  EXPECT_EQ(Procfs::Open("/proc/")->root(), "/proc");
}

TEST(ProcfsOpen, NamesAPathThatIsMissing) {
  EXPECT_THAT(
      Procfs::Open("/nowhere/proc"),
      StatusIs(StatusCode::kNotFound, HasSubstr("cannot open /nowhere/proc")));
}

TEST(ProcfsOpen, RefusesADirectoryThatIsNoProcfs) {
  const TemporaryDirectory directory;
  EXPECT_THAT(Procfs::Open(directory.path()),
              StatusIs(StatusCode::kFailedPrecondition,
                       directory.path() + " is not a mounted procfs"));
}

TEST(ProcfsOpen, RefusesTheRootDirectoryByName) {
  EXPECT_THAT(Procfs::Open("/"), StatusIs(StatusCode::kFailedPrecondition,
                                          "/ is not a mounted procfs"));
}

TEST(HasOwnPids, IsTrueForThisMachinesProcfs) {
  EXPECT_TRUE(OwnProcfs().has_own_pids());
}

TEST(HasOwnPids, IsFalseInANamespaceBelowTheMounts) {
  ChildProcess child([](const Channel& channel) {
    channel.Tell();
    if (unshare(CLONE_NEWPID) != 0) _exit(3);
    const pid_t inner = fork();
    if (inner == 0) _exit(OwnProcfs().has_own_pids() ? 1 : 0);
    int status = 0;
    waitpid(inner, &status, 0);
    _exit(WEXITSTATUS(status));
  });
  child.AwaitEnd();
  const int status = child.Reap();
  if (WEXITSTATUS(status) == 3) GTEST_SKIP() << "may not make a namespace";
  EXPECT_EQ(status, 0);
}

TEST(IsOfContainer, IsTrueOfAPidNamespaceBelowTheFirst) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  RunInPidNamespace([] { EXPECT_TRUE(OwnProcfs().is_of_container()); });
}

TEST(IsOfContainer, IsFalseOfTheHostsProcfsSeenFromWithinOne) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  RunApart([] {
    ASSERT_EQ(unshare(CLONE_NEWPID), 0);
    RunApart([] { EXPECT_FALSE(OwnProcfs().is_of_container()); });
  });
}

TEST(Procfs, ListsProcessesByTheirPids) {
  std::vector<ListedProcess> processes;
  ASSERT_THAT(OwnProcfs().ListProcesses(processes), IsOk());
  std::vector<pid_t> pids;
  for (const ListedProcess& each : processes) pids.push_back(each.pid);
  EXPECT_THAT(pids, Contains(getpid()));
  EXPECT_TRUE(std::is_sorted(pids.begin(), pids.end()));
}

TEST(Procfs, CountsThreads) {
  if (IsEmulated()) GTEST_SKIP() << "an emulator has a thread of its own";
  const ChildProcess child([](const Channel& channel) {
    std::thread first([] { pause(); });
    std::thread second([] { pause(); });
    TellAndWait(channel);
    _exit(0);
  });
  EXPECT_THAT(OwnProcfs().CountThreads(child.pid()), IsOkAndHolds(3));
  child.Kill();
  EXPECT_THAT(OwnProcfs().CountThreads(1 << 30),
              HasCode(StatusCode::kNotFound));
}

TEST(CheckIsProcess, NamesTheProcessOfAThread) {
  std::atomic<pid_t> id = 0;
  std::thread thread([&] {
    id = static_cast<pid_t>(syscall(SYS_gettid));
    id.notify_one();
    while (id != 0) usleep(1000);
  });
  id.wait(0);
  EXPECT_THAT(
      CheckIsProcess(OwnProcfs(), id),
      StatusIs(StatusCode::kInvalidArgument,
               HasSubstr(absl::StrCat("a thread of the process ", getpid()))));
  EXPECT_THAT(CheckIsProcess(OwnProcfs(), getpid()), IsOk());
  id = 0;
  thread.join();
}

// What is listed as the inode of a process; nothing where it is not listed.
std::optional<uint64_t> ListedInode(pid_t pid) {
  std::vector<ListedProcess> processes;
  EXPECT_THAT(OwnProcfs().ListProcesses(processes), IsOk());
  for (const ListedProcess& process : processes) {
    if (process.pid == pid) return process.inode;
  }
  return std::nullopt;
}

TEST(ListProcesses, HoldsEveryLiveProcessAndNoneThatWasReaped) {
  ChildProcess child(TellAndWait);
  const pid_t pid = child.pid();
  EXPECT_TRUE(ListedInode(pid));
  EXPECT_TRUE(ListedInode(getpid()));
  child.Reap();
  EXPECT_FALSE(ListedInode(pid));
}

TEST(ListProcesses, GivesTheInodeThatTheProcessKeeps) {
  const ChildProcess child(TellAndWait);
  const std::optional<uint64_t> inode = ListedInode(child.pid());
  ASSERT_TRUE(inode);
  EXPECT_EQ(ListedInode(child.pid()), inode);
  EXPECT_THAT(OwnProcfs().ReadInode(child.pid()), IsOkAndHolds(*inode));
}

TEST(ReadInode, FindsNoProcessThatWasReaped) {
  ChildProcess child(TellAndWait);
  const pid_t pid = child.pid();
  child.Reap();
  EXPECT_THAT(OwnProcfs().ReadInode(pid), HasCode(StatusCode::kNotFound));
}

TEST(ListIds, TakesNumbersOnly) {
  const TemporaryDirectory directory;
  for (const char* name :
       {"7", "4194304", "self", "7a", "1.5", "99999999999"}) {
    std::filesystem::create_directory(directory.File(name));
  }
  EXPECT_THAT(*ListIds(directory.path()), UnorderedElementsAre(7, 4194304));
}

TEST(ListIds, NamesADirectoryThatIsMissing) {
  EXPECT_THAT(
      ListIds("/proc/0/task"),
      StatusIs(StatusCode::kNotFound, HasSubstr("cannot list /proc/0/task")));
}

class ShortName : public testing::TestWithParam<const char*> {};

TEST_P(ShortName, IsReadFromTheKernel) {
  const ChildProcess child = NamedChild(GetParam());
  EXPECT_EQ(NameOf(child.pid()), GetParam());
}

INSTANTIATE_TEST_SUITE_P(ReadProcessName, ShortName,
                         testing::Values("", " ", "a worker", "(sd-pam)",
                                         ") S 1 (", "caf\xc3\xa9",
                                         "fourteen-bytes", "fifteen-bytes-x"));

TEST(ReadProcessName, CompletesACutNameFromTheFirstArgument) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("a-name-of-many-more-than-15-bytes");
  std::filesystem::create_symlink("/bin/sh", path);
  const ChildProcess child = ShellChild({}, path);
  EXPECT_EQ(NameOf(child.pid()), "a-name-of-many-more-than-15-bytes");
}

TEST(ReadProcessName, KeepsACutNameThatTheFirstArgumentDoesNotBeginWith) {
  const ChildProcess child = NamedChild("another-name-of-many-bytes");
  EXPECT_EQ(NameOf(child.pid()), "another-name-of");
}

// As psutil takes it.
TEST(ReadProcessName, CompletesACutNameFromTheFirstWordOfATitle) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("a-name-of-much-more words");
  std::filesystem::create_symlink("/bin/cat", path);
  const ChildProcess alone([&](const Channel& channel) {
    dup2(channel.fd(), STDIN_FILENO);
    channel.Tell();
    execl(path.c_str(), path.c_str(), nullptr);
  });
  AwaitRest(alone.pid());
  EXPECT_EQ(NameOf(alone.pid()), "a-name-of-much-more");
  const ChildProcess with_arguments([&](const Channel& channel) {
    dup2(channel.fd(), STDIN_FILENO);
    channel.Tell();
    execl(path.c_str(), path.c_str(), "-", nullptr);
  });
  AwaitRest(with_arguments.pid());
  EXPECT_EQ(NameOf(with_arguments.pid()), "a-name-of-much-more words");
}

TEST(ReadProcessName, ReadsAZombie) {
  const ChildProcess child = NamedChild("worker");
  child.Kill();
  EXPECT_EQ(NameOf(child.pid()), "worker");
}

TEST(ReadProcessName, FindsNoProcessThatWasReaped) {
  ChildProcess child(TellAndWait);
  const pid_t pid = child.pid();
  child.Reap();
  EXPECT_THAT(ReadProcessName(OwnProcfs(), pid),
              StatusIs(StatusCode::kNotFound,
                       HasSubstr(absl::StrCat("/proc/", pid, "/stat"))));
}

TEST(ReadCommandLine, JoinsTheArgumentsWithSpaces) {
  const ChildProcess child = ShellChild({"my app", "", "--port=1"});
  EXPECT_EQ(CommandLineOf(child.pid()),
            "/bin/sh -c echo; read line my app  --port=1");
}

TEST(ReadCommandLine, KeepsBytesThatAreNotUtf8) {
  const ChildProcess child = ShellChild({"\xff\xfe"});
  EXPECT_EQ(CommandLineOf(child.pid()), "/bin/sh -c echo; read line \xff\xfe");
}

TEST(ReadCommandLine, DropsTheNulsThatATitleLeavesBehind) {
  const ChildProcess child = ShellChild({"app", "", "", ""});
  EXPECT_EQ(CommandLineOf(child.pid()), "/bin/sh -c echo; read line app");
}

// The kernel takes at most 128 KiB in one argument.
TEST(ReadCommandLine, IsReadWholeWhenItIsLong) {
  const std::vector<std::string> arguments(15, std::string(100'000, 'x'));
  const std::string line = CommandLineOf(ShellChild(arguments).pid());
  EXPECT_THAT(line, StartsWith("/bin/sh -c echo; read line xxx"));
  EXPECT_EQ(line.size(), 26 + 15 * 100'001U);
}

TEST(ReadCommandLine, IsEmptyForAZombie) {
  const ChildProcess child(TellAndWait);
  child.Kill();
  EXPECT_EQ(CommandLineOf(child.pid()), "");
}

TEST(ReadCommandLine, FindsNoProcessThatWasReaped) {
  ChildProcess child(TellAndWait);
  const pid_t pid = child.pid();
  child.Reap();
  EXPECT_THAT(ReadCommandLine(OwnProcfs(), pid),
              HasCode(StatusCode::kNotFound));
}

TEST(ReadUser, GivesTheRealUserOfAProcess) {
  const ChildProcess own(TellAndWait);
  EXPECT_THAT(ReadUser(OwnProcfs(), own.pid()), IsOkAndHolds(getuid()));
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  constexpr uid_t kReal = 4711;
  // The list of groups makes the file long.
  const ChildProcess other([](const Channel& channel) {
    const std::vector<gid_t> groups(10'000, 4'000'000'000U);
    if (setgroups(groups.size(), groups.data()) == 0 &&
        setreuid(kReal, 0) == 0) {
      TellAndWait(channel);
    }
  });
  EXPECT_THAT(ReadUser(OwnProcfs(), other.pid()), IsOkAndHolds(kReal));
}

}  // namespace
}  // namespace pycheck

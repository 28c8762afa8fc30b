#include "lib/procfs/descriptors.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "lib/base/file.h"
#include "tests/testing/child_process.h"
#include "tests/testing/memory_file.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_file.h"

namespace pycheck {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kName[] = "descriptors-test-";

// What is in the files that are found, one text for each.
std::vector<std::string> FoundIn(pid_t pid) {
  const auto files = OpenMemoryFiles(*Procfs::Open("/proc"), pid, kName);
  EXPECT_THAT(files, IsOk());
  std::vector<std::string> texts;
  for (const UniqueFd& file : *files) {
    std::array<char, 64> buffer;
    texts.emplace_back(
        *ReadFromStart(file.get(), absl::MakeSpan(buffer), "file"));
  }
  return texts;
}

TEST(OpenMemoryFiles, FindsThoseWithTheName) {
  const ChildProcess child([](const Channel& channel) {
    LeaveMemoryFile("other", "a");
    LeaveMemoryFile(absl::StrCat(kName, "x"), "b");
    LeaveMemoryFile(absl::StrCat("not-", kName), "c");
    LeaveMemoryFile(kName, "d");
    TellAndWait(channel);
  });
  EXPECT_THAT(FoundIn(child.pid()), ElementsAre("b", "d"));
}

TEST(OpenMemoryFiles, OpensNoMoreThanAFew) {
  const ChildProcess child([](const Channel& channel) {
    for (int i = 0; i < 10; ++i) LeaveMemoryFile(kName, absl::StrCat(i));
    TellAndWait(channel);
  });
  EXPECT_THAT(FoundIn(child.pid()), ElementsAre("0", "1", "2", "3"));
}

TEST(OpenMemoryFiles, LooksAtTheLowestDescriptors) {
  const ChildProcess child([](const Channel& channel) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < kMaxDescriptors; ++i) {
      if (dup(channel.fd()) < 0) _exit(1);
    }
    LeaveMemoryFile(kName, "x");
    TellAndWait(channel);
  });
  EXPECT_THAT(FoundIn(child.pid()), IsEmpty());
}

// In a root of its own a process can have any file at the path that the link of
// one in memory shows.
TEST(OpenMemoryFiles, OpensNothingThatOnlyHasTheName) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  const TemporaryDirectory root;
  const ChildProcess child([&](const Channel& channel) {
    const auto path = [&](const char* kind) {
      return absl::StrCat(root.path(), "/memfd:", kName, kind);
    };
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", root.path().c_str(), "tmpfs", 0, nullptr) != 0 ||
        mknod(path("device").c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0 ||
        mkfifo(path("fifo").c_str(), 0600) != 0 ||
        mknod(path("regular").c_str(), S_IFREG | 0600, 0) != 0 ||
        mkdir(root.File("old").c_str(), 0700) != 0 ||
        syscall(SYS_pivot_root, root.path().c_str(),
                root.File("old").c_str()) != 0) {
      _exit(1);
    }
    for (const char* const kind : {"device", "fifo", "regular"}) {
      if (open(absl::StrCat("/memfd:", kName, kind).c_str(), O_PATH) < 0) {
        _exit(1);
      }
    }
    LeaveMemoryFile(kName, "true");
    TellAndWait(channel);
  });
  EXPECT_THAT(FoundIn(child.pid()), ElementsAre("true"));
}

TEST(OpenMemoryFiles, SaysThatAProcessHasEnded) {
  ChildProcess child([](const Channel& channel) { channel.Tell(); });
  const pid_t pid = child.pid();
  child.Reap();
  EXPECT_THAT(OpenMemoryFiles(*Procfs::Open("/proc"), pid, kName),
              HasCode(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace pycheck

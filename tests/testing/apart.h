#ifndef PYCHECK_TESTS_TESTING_APART_H_
#define PYCHECK_TESTS_TESTING_APART_H_

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "absl/functional/function_ref.h"

namespace pycheck {

// Runs `body` in a process of its own, whose user, namespaces and children are
// nobody else's; it fails where `body` fails.
inline void RunApart(absl::FunctionRef<void()> body) {
  const pid_t pid = fork();
  if (pid == 0) {
    body();
    _exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status;
  waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
}

// Runs `body` as the first process of a pid namespace, with its procfs at
// /proc. For root only.
inline void RunInPidNamespace(absl::FunctionRef<void()> body) {
  RunApart([&] {
    ASSERT_EQ(unshare(CLONE_NEWPID | CLONE_NEWNS), 0);
    RunApart([&] {
      ASSERT_EQ(mount("none", "/proc", nullptr, MS_PRIVATE, nullptr), 0);
      ASSERT_EQ(mount("proc", "/proc", "proc", 0, nullptr), 0);
      body();
    });
  });
}

// Lets the next process of this pid namespace have this pid.
inline void ChooseNextPid(pid_t pid) {
  std::ofstream("/proc/sys/kernel/ns_last_pid") << pid - 1;
}

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_APART_H_

#ifndef PYCHECK_TESTS_TESTING_CHILD_PROCESS_H_
#define PYCHECK_TESTS_TESTING_CHILD_PROCESS_H_

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "lib/base/unique_fd.h"
#include "tests/testing/emulation.h"

namespace pycheck {

// One end of a conversation between a test and its child.
class Channel {
 public:
  explicit Channel(UniqueFd fd) : fd_(std::move(fd)) {}

  // Wakes the other end's Await.
  void Tell() const {
    const char byte = '\n';
    if (write(fd_.get(), &byte, 1) != 1) return;
  }

  // Waits for a Tell of the other end; false when it has gone.
  bool Await() const {
    char byte;
    return read(fd_.get(), &byte, 1) == 1;
  }

  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
};

// A forked child of the test, killed and waited for at the end.
class ChildProcess {
 public:
  // Calls `run` in the child, which ends when that returns, and waits until the
  // child has told that it is ready.
  explicit ChildProcess(absl::FunctionRef<void(const Channel&)> run)
      : channel_(UniqueFd()) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      ADD_FAILURE() << "socketpair";
      return;
    }
    channel_ = Channel(UniqueFd(ends[0]));
    Channel other{UniqueFd(ends[1])};
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      channel_ = Channel(UniqueFd());
      if (getppid() == parent) run(other);
      _exit(0);
    }
    other = Channel(UniqueFd());
    if (!channel_.Await()) ADD_FAILURE() << "the child ended too early";
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() { Reap(); }

  pid_t pid() const { return pid_; }
  const Channel& channel() const { return channel_; }

  // Kills it and leaves it a zombie.
  void Kill() const {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    AwaitEnd();
  }

  // Waits until it has ended by itself, and leaves it a zombie.
  void AwaitEnd() const {
    siginfo_t info;
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }

  // Kills it if it still runs; no process has its pid any more. Gives what
  // waitpid(2) says of its end.
  int Reap() {
    int status = 0;
    if (pid_ > 0) {
      Kill();
      waitpid(pid_, &status, 0);
      pid_ = -1;
    }
    return status;
  }

 private:
  pid_t pid_ = -1;
  Channel channel_;
};

inline void TellAndWait(const Channel& channel) {
  channel.Tell();
  channel.Await();
}

// Waits until a process has gone to sleep and uses no more CPU time.
inline void AwaitRest(pid_t pid) {
  clockid_t clock;
  if (clock_getcpuclockid(pid, &clock) != 0) {
    ADD_FAILURE() << "no process " << pid;
    return;
  }
  // An emulator's own thread sleeps ten now and then.
  const int quiet_milliseconds = IsEmulated() ? 100 : 5;
  timespec before{};
  for (int quiet = 0; quiet < quiet_milliseconds; ++quiet) {
    timespec now;
    clock_gettime(clock, &now);
    if (now.tv_sec != before.tv_sec || now.tv_nsec != before.tv_nsec) quiet = 0;
    before = now;
    usleep(1000);
  }
}

// Waits as a process of this name.
inline ChildProcess NamedChild(const std::string& name) {
  return ChildProcess([&](const Channel& channel) {
    prctl(PR_SET_NAME, name.c_str());
    TellAndWait(channel);
  });
}

// Becomes a shell, which is at `path`, that tells and waits too. `arguments`
// stand at the end of its command line.
inline void ExecuteShell(const Channel& channel, const std::string& path,
                         std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {path, "-c", "echo; read line"});
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  dup2(channel.fd(), STDIN_FILENO);
  dup2(channel.fd(), STDOUT_FILENO);
  execv(path.c_str(), pointers.data());
}

// Waits as a shell with `arguments` at the end of its command line.
inline ChildProcess ShellChild(const std::vector<std::string>& arguments,
                               const std::string& path = "/bin/sh") {
  return ChildProcess(
      [&](const Channel& channel) { ExecuteShell(channel, path, arguments); });
}

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_CHILD_PROCESS_H_

#include "lib/process/process.h"

#include <dirent.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "lib/procfs/stat.h"
#include "tests/testing/apart.h"
#include "tests/testing/child_process.h"
#include "tests/testing/descriptors.h"
#include "tests/testing/emulation.h"
#include "tests/testing/python_process.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

// What a process says of itself on request: CPU seconds by its clock, user and
// system seconds, voluntary and involuntary switches, resident bytes, threads.
// Its threads work and switch all the while.
constexpr char kReportsItself[] = R"(
import os, resource, threading, time
def work():
    while True:
        sum(range(1000))
        time.sleep(0.001)
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
def short_lived():
    for _ in range(50):
        time.sleep(0.0001)
thread = threading.Thread(target=short_lived)
thread.start()
thread.join()
while len(os.listdir("/proc/self/task")) > 5:
    time.sleep(0.001)
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")
while True:
    u = resource.getrusage(resource.RUSAGE_SELF)
    os.write(1, b"%.9f %.6f %.6f %d %d %d %d\n" % (
        time.process_time(), u.ru_utime, u.ru_stime, u.ru_nvcsw, u.ru_nivcsw,
        resident(), len(os.listdir("/proc/self/task"))))
    if not os.read(0, 1):
        break
)";

struct SelfReport {
  explicit SelfReport(const std::string& line) {
    const std::vector<double> n = Numbers(line);
    cpu = n[0];
    user = n[1];
    system = n[2];
    voluntary = n[3];
    involuntary = n[4];
    resident = n[5];
    threads = n[6];
  }
  double cpu, user, system, voluntary, involuntary, resident, threads;
};

MATCHER_P2(IsBetween, low, high,
           absl::StrCat("is between ", low, " and ", high)) {
  return arg >= low && arg <= high;
}

class ProcessTest : public ::testing::TestWithParam<Python> {
 protected:
  void SetUp() override {
    if (GetParam().executable.empty()) {
      GTEST_SKIP() << "no Python " << GetParam().name << " on this machine";
    }
  }
  Procfs procfs_ = *Procfs::Open("/proc");
  Binaries binaries_;
};

// Each reading lies between what the process says of itself right before and
// right after.
void ExpectReadingsAgree(const Procfs& procfs, const std::string& executable,
                         Taskstats* taskstats) {
  PythonProcess python(executable, kReportsItself);
  SelfReport before(python.ReadLine());
  Binaries binaries;
  absl::StatusOr<Process> process = Process::Open(procfs, python.pid());
  ASSERT_TRUE(process.ok()) << process.status();
  // Without taskstats, what the thread did that had ended before the first
  // reading is not seen, by any reading; with them, its last few switches.
  constexpr double kUnknown = 1e9;
  constexpr double kLate = 3;
  double missed_voluntary = taskstats == nullptr ? kUnknown : kLate;
  double missed_involuntary = missed_voluntary;
  for (int i = 0; i < 100; ++i) {
    const absl::StatusOr<Reading> reading =
        process->Read({procfs, taskstats, binaries, /*user=*/true,
                       /*silent_tracer=*/false});
    ASSERT_TRUE(reading.ok()) << reading.status();
    const SelfReport after(python.Ask(""));
    const double tick = 1.0 / static_cast<double>(TicksPerSecond());

    ASSERT_TRUE(reading->cpu_ns);
    EXPECT_THAT(static_cast<double>(*reading->cpu_ns) / 1e9,
                IsBetween(before.cpu - 1e-9, after.cpu + 1e-9));
    EXPECT_THAT(static_cast<double>(reading->user_ticks) * tick,
                IsBetween(before.user - tick, after.user));
    EXPECT_THAT(static_cast<double>(reading->system_ticks) * tick,
                IsBetween(before.system - tick, after.system));
    ASSERT_TRUE(reading->switches);
    const auto voluntary = static_cast<double>(reading->switches->voluntary);
    const auto involuntary =
        static_cast<double>(reading->switches->involuntary);
    EXPECT_THAT(voluntary, IsBetween(before.voluntary - missed_voluntary,
                                     after.voluntary));
    EXPECT_THAT(involuntary, IsBetween(before.involuntary - missed_involuntary,
                                       after.involuntary));
    if (i == 0 && taskstats == nullptr) {
      missed_voluntary = after.voluntary - voluntary;
      missed_involuntary = after.involuntary - involuntary;
    }
    EXPECT_EQ(static_cast<double>(reading->thread_count), after.threads);
    EXPECT_EQ(reading->parent, getpid());
    EXPECT_EQ(reading->user, getuid());
    if (before.resident == after.resident) {
      EXPECT_EQ(static_cast<double>(reading->resident_bytes), after.resident);
    }
    EXPECT_TRUE(reading->gc_counts) << process->collector_status();
    before = after;
  }
  EXPECT_GT(before.cpu, 0);
}

TEST_P(ProcessTest, AgreesWithWhatTheProcessSaysOfItself) {
  // A thread that ended shows that the kernel keeps what it did.
  const size_t tasks = ListIds("/proc/self/task")->size();
  std::thread([] { usleep(1000); }).join();
  while (ListIds("/proc/self/task")->size() > tasks) sched_yield();
  absl::StatusOr<Taskstats> taskstats = Taskstats::Open(procfs_);
  if (!taskstats.ok()) GTEST_SKIP() << taskstats.status();
  ExpectReadingsAgree(procfs_, GetParam().executable, &*taskstats);
}

TEST_P(ProcessTest, AgreesWithoutTaskstatsToo) {
  ExpectReadingsAgree(procfs_, GetParam().executable, nullptr);
}

INSTANTIATE_TEST_SUITE_P(
    , ProcessTest, ::testing::ValuesIn(ModernPythons()),
    [](const auto& python) {
      return absl::StrReplaceAll(python.param.name, {{".", "_"}});
    });

// Executes its first argument, with its second as the script, when told to.
constexpr char kExecutesItself[] =
    "import os, sys; os.write(1, b'\\n'); os.read(0, 1)\n"
    "os.execv(sys.argv[1], ['python', '-c', sys.argv[2]])";

class ProcessLifeTest : public ::testing::Test {
 protected:
  Procfs procfs_ = *Procfs::Open("/proc");
  Binaries binaries_;
  const Sources sources_{procfs_, nullptr, binaries_, /*user=*/false,
                         /*silent_tracer=*/false};
  size_t descriptors_ = CountDescriptors();
};

TEST_F(ProcessLifeTest, AProcessThatEndedIsGoneWhileAZombieAndAfter) {
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  absl::StatusOr<Process> process = Process::Open(procfs_, python.pid());
  ASSERT_TRUE(process->Read(sources_).ok());
  python.Kill();
  EXPECT_TRUE(absl::IsNotFound(process->Read(sources_).status()));
  EXPECT_TRUE(absl::IsNotFound(Process::Open(procfs_, python.pid()).status()));
  python.Reap();
  EXPECT_TRUE(absl::IsNotFound(process->Read(sources_).status()));
  EXPECT_TRUE(absl::IsNotFound(Process::Open(procfs_, python.pid()).status()));
}

TEST_F(ProcessLifeTest, AProcessThatExecutesAnotherProgramIsGone) {
  PythonProcess python(AnyPython().executable, kExecutesItself,
                       {AnyPython().executable, kWaits});
  python.ReadLine();
  absl::StatusOr<Process> process = Process::Open(procfs_, python.pid());
  ASSERT_TRUE(process->Read(sources_).ok());
  python.Ask("");
  EXPECT_TRUE(absl::IsNotFound(process->Read(sources_).status()));

  absl::StatusOr<Process> again = Process::Open(procfs_, python.pid());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->start_ticks(), process->start_ticks());
  const absl::StatusOr<Reading> reading = again->Read(sources_);
  ASSERT_TRUE(reading.ok()) << reading.status();
  EXPECT_TRUE(reading->gc_counts);
}

// A child of vfork has its parent's memory until it executes a program, and its
// parent's memory is not the program's.
TEST_F(ProcessLifeTest, AVforkedChildThatExecutesAProgramIsGone) {
  if (IsEmulated()) GTEST_SKIP() << "an emulator's vfork is a fork";
  int go[2];
  int output[2];
  ASSERT_EQ(pipe(go), 0);
  ASSERT_EQ(pipe(output), 0);
  std::atomic<pid_t> child{0};
  std::thread parent([&] {
    const pid_t pid = vfork();
    if (pid == 0) {
      child = getpid();
      char byte;
      static_cast<void>(!read(go[0], &byte, 1));
      dup2(output[1], STDOUT_FILENO);
      execl(AnyPython().executable.c_str(), "python", "-c",
            "import os, time; os.write(1, b'1'); time.sleep(60)", nullptr);
      _exit(127);
    }
    waitpid(pid, nullptr, 0);
  });
  while (child == 0) sched_yield();
  absl::StatusOr<Process> process = Process::Open(procfs_, child);
  ASSERT_TRUE(process.ok()) << process.status();
  ASSERT_TRUE(absl::IsFailedPrecondition(process->Read(sources_).status()));
  char byte = 0;
  ASSERT_EQ(write(go[1], &byte, 1), 1);
  ASSERT_EQ(read(output[0], &byte, 1), 1);
  EXPECT_TRUE(absl::IsNotFound(process->Read(sources_).status()));

  absl::StatusOr<Process> again = Process::Open(procfs_, child);
  const absl::StatusOr<Reading> reading = again->Read(sources_);
  ASSERT_TRUE(reading.ok()) << reading.status();
  EXPECT_TRUE(reading->gc_counts) << again->collector_status();
  kill(child, SIGKILL);
  parent.join();
  for (const int fd : {go[0], go[1], output[0], output[1]}) close(fd);
}

TEST_F(ProcessLifeTest, ClosesItsDescriptors) {
  for (int i = 0; i < 3; ++i) {
    PythonProcess python(AnyPython().executable, kWaits);
    python.ReadLine();
    const size_t before = CountDescriptors();
    {
      absl::StatusOr<Process> process = Process::Open(procfs_, python.pid());
      ASSERT_TRUE(process->Read(sources_).ok());
      EXPECT_EQ(CountDescriptors(), before + 3);
    }
    EXPECT_EQ(CountDescriptors(), before);
  }
  EXPECT_EQ(CountDescriptors(), descriptors_);
}

TEST_F(ProcessLifeTest, KeepsNoFilesOpenOfOneThatHoldsNoPython) {
  const ChildProcess child(TellAndWait);
  const size_t before = CountDescriptors();
  absl::StatusOr<Process> process = Process::Open(procfs_, child.pid());
  ASSERT_TRUE(process.ok()) << process.status();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(absl::IsFailedPrecondition(process->Read(sources_).status()));
    EXPECT_TRUE(process->is_closed());
    EXPECT_EQ(CountDescriptors(), before);
  }
}

TEST_F(ProcessLifeTest, OneThatWasReleasedIsReadAgain) {
  PythonProcess python(AnyPython().executable, kKeepsItsCounts);
  const std::vector<double> reported = Numbers(python.ReadLine());
  absl::StatusOr<Process> process = Process::Open(procfs_, python.pid());
  const size_t before = CountDescriptors();
  for (int i = 0; i < 3; ++i) {
    const absl::StatusOr<Reading> reading = process->Read(sources_);
    ASSERT_TRUE(reading.ok()) << reading.status();
    ASSERT_TRUE(reading->gc_counts);
    EXPECT_THAT(*reading->gc_counts, ::testing::ElementsAreArray(reported));
    process->Release();
    EXPECT_LT(CountDescriptors(), before);
  }
}

TEST_F(ProcessLifeTest, OneThatWasReleasedIsGoneWhenItExecutesOrEnds) {
  PythonProcess python(AnyPython().executable, kExecutesItself,
                       {AnyPython().executable, kWaits});
  python.ReadLine();
  absl::StatusOr<Process> process = Process::Open(procfs_, python.pid());
  process->Release();
  python.Ask("");
  EXPECT_TRUE(absl::IsNotFound(process->Read(sources_).status()));
  process->Release();
  python.Kill();
  EXPECT_TRUE(absl::IsNotFound(process->Read(sources_).status()));
}

TEST_F(ProcessLifeTest, OneAtRestIsAsItWasButForItsMemory) {
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  AwaitRest(python.pid());
  absl::StatusOr<Process> process = Process::Open(procfs_, python.pid());
  // What the first reading looks at is resident from then on.
  ASSERT_TRUE(process->Read(sources_).ok());
  Reading last = *process->Read(sources_);
  const uint64_t resident = last.resident_bytes;
  last.resident_bytes = 0;
  last.user_ticks += 7;
  const auto reading = process->ReadAtRest(procfs_, last);
  ASSERT_TRUE(reading.ok() && *reading) << reading.status();
  EXPECT_EQ((*reading)->resident_bytes, resident);
  EXPECT_EQ((*reading)->user_ticks, last.user_ticks);
  EXPECT_EQ((*reading)->gc_counts, last.gc_counts);
  EXPECT_GT((*reading)->boot_ns, last.boot_ns);
}

TEST_F(ProcessLifeTest, OneWhoseSizeOrThreadsAreOthersHasNotRested) {
  PythonProcess python(AnyPython().executable,
                       "import threading, time\n"
                       "threading.Thread(target=time.sleep, args=(60,), "
                       "daemon=True).start()\n" +
                           std::string(kWaits));
  python.ReadLine();
  AwaitRest(python.pid());
  absl::StatusOr<Process> process = Process::Open(procfs_, python.pid());
  const Reading last = *process->Read(sources_);
  ASSERT_EQ(last.thread_count, 2);
  EXPECT_TRUE(*process->ReadAtRest(procfs_, last));
  Reading other = last;
  ++other.size_pages;
  EXPECT_FALSE(*process->ReadAtRest(procfs_, other));
  other = last;
  ++other.thread_count;
  EXPECT_FALSE(*process->ReadAtRest(procfs_, other));
  python.Kill();
  EXPECT_TRUE(absl::IsNotFound(process->ReadAtRest(procfs_, last).status()));
}

// Of the descriptors, as many as leave no room for files to be held.
std::vector<UniqueFd> TakeDescriptors(rlim_t limit) {
  const rlimit descriptors = {.rlim_cur = limit, .rlim_max = limit};
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &descriptors), 0);
  std::vector<UniqueFd> taken;
  do {
    taken.emplace_back(dup(STDERR_FILENO));
  } while (static_cast<rlim_t>(taken.back().get()) < limit - limit / 4);
  return taken;
}

TEST_F(ProcessLifeTest, HoldsItsFilesWhereThereIsRoom) {
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  absl::StatusOr<Process> process = Process::Open(procfs_, python.pid());
  process->CloseSpareFiles();
  EXPECT_FALSE(process->is_closed());
}

TEST_F(ProcessLifeTest, LeavesAQuarterOfTheDescriptorsToOthers) {
  PythonProcess python(AnyPython().executable, kKeepsItsCounts);
  const std::vector<double> reported = Numbers(python.ReadLine());
  AwaitRest(python.pid());
  RunApart([&] {
    const std::vector<UniqueFd> taken = TakeDescriptors(64);
    const size_t before = CountDescriptors();
    absl::StatusOr<Process> process = Process::Open(procfs_, python.pid());
    ASSERT_TRUE(process.ok()) << process.status();
    for (int i = 0; i < 3; ++i) {
      process->CloseSpareFiles();
      EXPECT_EQ(CountDescriptors(), before);
      const absl::StatusOr<Reading> reading = process->Read(sources_);
      ASSERT_TRUE(reading.ok()) << reading.status();
      EXPECT_THAT(*reading->gc_counts, ::testing::ElementsAreArray(reported));
      process->CloseSpareFiles();
      EXPECT_TRUE(*process->ReadAtRest(procfs_, *reading));
    }
  });
}

TEST_F(ProcessLifeTest, OneWhoseFilesWereClosedIsGoneWhenItExecutesOrEnds) {
  PythonProcess python(AnyPython().executable, kExecutesItself,
                       {AnyPython().executable, kWaits});
  python.ReadLine();
  RunApart([&] {
    const std::vector<UniqueFd> taken = TakeDescriptors(64);
    absl::StatusOr<Process> process = Process::Open(procfs_, python.pid());
    const absl::StatusOr<Reading> last = process->Read(sources_);
    ASSERT_TRUE(last.ok()) << last.status();
    const auto expect_gone = [&] {
      process->CloseSpareFiles();
      EXPECT_THAT(process->Read(sources_),
                  HasCode(absl::StatusCode::kNotFound));
      process->CloseSpareFiles();
      EXPECT_THAT(process->ReadAtRest(procfs_, *last),
                  HasCode(absl::StatusCode::kNotFound));
    };
    process->CloseSpareFiles();
    python.Ask("");
    expect_gone();
    process = Process::Open(procfs_, python.pid());
    ASSERT_TRUE(process.ok()) << process.status();
    process->CloseSpareFiles();
    python.Kill();
    // It is nobody's child here who could be waited for.
    while (Process::Open(procfs_, python.pid()).ok()) usleep(1000);
    expect_gone();
  });
}

// As of a user who is in thousands of groups.
TEST_F(ProcessLifeTest, ReadsOneWithALongListOfGroups) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  PythonProcess python(
      AnyPython().executable,
      "import os\nos.setgroups([4000000000] * 10000)\nos.write(1, b'\\n')\n"
      "os.read(0, 1)\n");
  python.ReadLine();
  absl::StatusOr<Process> process = Process::Open(procfs_, python.pid());
  ASSERT_TRUE(process.ok()) << process.status();
  const absl::StatusOr<Reading> reading = process->Read(sources_);
  ASSERT_TRUE(reading.ok()) << reading.status();
  EXPECT_TRUE(reading->switches);
}

TEST_F(ProcessLifeTest, SaysItsNameAsLongAsItLives) {
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  absl::StatusOr<Process> process = Process::Open(procfs_, python.pid());
  EXPECT_EQ(*process->ReadName(procfs_),
            *ReadProcessName(procfs_, python.pid()));
  python.Kill();
  EXPECT_TRUE(absl::IsNotFound(process->ReadName(procfs_).status()));
}

TEST_F(ProcessLifeTest, AKernelThreadHasNoReading) {
  constexpr pid_t kKthreadd = 2;
  absl::StatusOr<Process> process = Process::Open(procfs_, kKthreadd);
  if (!process.ok()) GTEST_SKIP() << "kernel threads are not visible here";
  EXPECT_TRUE(absl::IsNotFound(process->Read(sources_).status()));
}

}  // namespace
}  // namespace pycheck

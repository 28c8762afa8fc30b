#include "lib/check/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/unique_fd.h"
#include "lib/config/document.h"
#include "lib/config/options.h"
#include "tests/testing/command.h"
#include "tests/testing/descriptors.h"
#include "tests/testing/python_process.h"
#include "tests/testing/recording_sink.h"

namespace pycheck {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Le;
using ::testing::Not;
using ::testing::SizeIs;

// Works for a while at each request, and says what it has used in all: CPU
// seconds by its clock, voluntary and involuntary switches.
constexpr char kWorks[] = R"(
import os, resource, time
def report():
    u = resource.getrusage(resource.RUSAGE_SELF)
    os.write(1, b"%.9f %d %d\n" % (time.process_time(), u.ru_nvcsw, u.ru_nivcsw))
def work():
    end = time.process_time() + 0.05
    while time.process_time() < end:
        time.sleep(0.0001)
        sum(range(1000))
work()
report()
while os.read(0, 1):
    work()
    report()
)";

Check MakeCheck(const std::string& instance) {
  const absl::StatusOr<Options> options =
      ParseOptions(nullptr, *ParseYaml(instance));
  EXPECT_TRUE(options.ok()) << options.status();
  absl::StatusOr<Check> check = Check::Create(*options, "/proc");
  EXPECT_TRUE(check.ok()) << check.status();
  return *std::move(check);
}

Check CheckOf(pid_t pid) {
  return MakeCheck(absl::StrCat("{name: app, pid: ", pid, "}"));
}

// The tags of a process in which no interpreter was found.
std::string UnknownSeries(pid_t pid) {
  return absl::StrCat("process_name:app,pid:", pid);
}

// The tags of a process that runs AnyPython().
std::string Series(pid_t pid) {
  static const std::string version =
      LinesOf(AnyPython().executable +
              " -c 'import platform; print(platform.python_version())'")
          .front();
  return absl::StrCat(UnknownSeries(pid),
                      ",lang_interpreter:CPython,lang_version:", version);
}

// A word that no other process has in its command line.
std::string UniqueWord() {
  static int count = 0;
  return absl::StrCat("unique-", getpid(), "-", ++count);
}

std::map<std::string, double> GaugesOf(Check& check, pid_t pid) {
  return RunOnce(check).gauges[Series(pid)];
}

// Runs `body` in a process of its own, whose user, namespaces and children are
// nobody else's; it fails where `body` fails.
void RunApart(const std::function<void()>& body) {
  const pid_t pid = fork();
  if (pid == 0) {
    body();
    _exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status;
  waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(Check, GivesTenGaugesFromTheSecondRunOn) {
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  Check check = CheckOf(python.pid());
  EXPECT_THAT(GaugesOf(check, python.pid()),
              ElementsAre(Key("runtime.python.gc.count.gen0"),
                          Key("runtime.python.gc.count.gen1"),
                          Key("runtime.python.gc.count.gen2"),
                          Key("runtime.python.mem.rss"),
                          Key("runtime.python.thread_count")));
  EXPECT_THAT(GaugesOf(check, python.pid()),
              ElementsAre(Key("runtime.python.cpu.ctx_switch.involuntary"),
                          Key("runtime.python.cpu.ctx_switch.voluntary"),
                          Key("runtime.python.cpu.percent"),
                          Key("runtime.python.cpu.time.sys"),
                          Key("runtime.python.cpu.time.user"),
                          Key("runtime.python.gc.count.gen0"),
                          Key("runtime.python.gc.count.gen1"),
                          Key("runtime.python.gc.count.gen2"),
                          Key("runtime.python.mem.rss"),
                          Key("runtime.python.thread_count")));
}

TEST(Check, GivesSevenGaugesOfPyPyAndDoesNotComplain) {
  constexpr char kPyPy[] = "/usr/bin/pypy3";
  if (access(kPyPy, X_OK) != 0) GTEST_SKIP() << "no PyPy on this machine";
  PythonProcess python(kPyPy, kWaits);
  python.ReadLine();
  Check check = CheckOf(python.pid());
  RunOnce(check);
  RecordingSink sink = RunOnce(check);
  EXPECT_THAT(
      sink.gauges[UnknownSeries(python.pid()) + ",lang_interpreter:PyPy"],
      SizeIs(7));
  EXPECT_THAT(sink.gauges, SizeIs(1));
  EXPECT_THAT(sink.warnings, IsEmpty());
  ASSERT_THAT(sink.service_checks, SizeIs(1));
  EXPECT_EQ(sink.service_checks[0].status, ServiceStatus::kOk);
  EXPECT_EQ(sink.service_checks[0].message, "");
}

TEST(Check, CountsDifferencesBetweenItsRuns) {
  PythonProcess python(AnyPython().executable, kWorks);
  std::vector<double> before = Numbers(python.ReadLine());
  Check check = CheckOf(python.pid());
  RunOnce(check);
  for (int i = 0; i < 5; ++i) {
    const std::vector<double> after = Numbers(python.Ask(""));
    auto gauges = GaugesOf(check, python.pid());
    // The report itself and the wait for the next request come after it.
    constexpr double kAround = 0.01;
    constexpr double kTicks = 0.02;
    EXPECT_NEAR(gauges["runtime.python.cpu.time.user"] +
                    gauges["runtime.python.cpu.time.sys"],
                after[0] - before[0], kAround + kTicks);
    EXPECT_NEAR(gauges["runtime.python.cpu.ctx_switch.voluntary"],
                after[1] - before[1], 5);
    EXPECT_GT(gauges["runtime.python.cpu.percent"], 0);
    before = after;
  }
}

TEST(Check, CountsAProcessBornSinceTheLastRunFromItsBirth) {
  const std::string word = UniqueWord();
  Check check = MakeCheck(absl::StrCat("{name: app, exact_match: false, ",
                                       "search_string: [", word, "]}"));
  EXPECT_THAT(RunOnce(check).gauges, IsEmpty());
  PythonProcess python(AnyPython().executable, kWorks, {word});
  const std::vector<double> used = Numbers(python.ReadLine());
  const auto gauges = GaugesOf(check, python.pid());
  ASSERT_THAT(gauges, SizeIs(kGaugeCount));
  EXPECT_THAT(gauges.at("runtime.python.cpu.time.user") +
                  gauges.at("runtime.python.cpu.time.sys"),
              AllOf(Ge(used[0] - 0.02), Le(used[0] + 0.02)));
  EXPECT_GE(gauges.at("runtime.python.cpu.ctx_switch.voluntary"), used[1]);
  EXPECT_LE(gauges.at("runtime.python.cpu.percent"), 100.5);
}

TEST(Check, GivesNoDifferencesOfAProcessThatRanBeforeItsFirstRun) {
  PythonProcess python(AnyPython().executable, kWorks);
  python.ReadLine();
  Check check = CheckOf(python.pid());
  EXPECT_THAT(GaugesOf(check, python.pid()),
              Not(Contains(Key("runtime.python.cpu.percent"))));
}

TEST(Check, BeginsAnewWithAProcessThatExecutesAnotherProgram) {
  PythonProcess python(
      AnyPython().executable,
      absl::StrCat("import os, sys, time\n",
                   "while time.process_time() < 0.2: pass\n",
                   "os.write(1, b'\\n'); os.read(0, 1)\n", "os.execv('",
                   AnyPython().executable, "', ['python', '-c', sys.argv[1]])"),
      {kWaits});
  python.ReadLine();
  Check check = CheckOf(python.pid());
  RunOnce(check);
  ASSERT_THAT(GaugesOf(check, python.pid()), SizeIs(kGaugeCount));
  python.Ask("");
  EXPECT_THAT(GaugesOf(check, python.pid()), SizeIs(kGaugeCount - 5));
  EXPECT_THAT(GaugesOf(check, python.pid()), SizeIs(kGaugeCount));
}

TEST(Check, ForgetsAProcessThatHasEnded) {
  const size_t descriptors = CountDescriptors();
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  const size_t with_pipes = CountDescriptors();
  Check check = CheckOf(python.pid());
  const size_t before = CountDescriptors();
  RunOnce(check);
  EXPECT_GT(CountDescriptors(), before);

  python.Kill();  // a zombie now
  EXPECT_THAT(RunOnce(check).gauges, IsEmpty());
  EXPECT_EQ(CountDescriptors(), before);
  python.Reap();
  EXPECT_THAT(RunOnce(check).gauges, IsEmpty());
  EXPECT_EQ(CountDescriptors(), before);
  EXPECT_GE(with_pipes, descriptors);
}

TEST(Check, LeavesOutProcessesThatHoldNoPythonAndSaysSoOnce) {
  Check check = CheckOf(getpid());
  const RecordingSink first = RunOnce(check);
  EXPECT_THAT(first.gauges, IsEmpty());
  EXPECT_THAT(first.warnings, ElementsAre(HasSubstr("hold no Python")));
  EXPECT_THAT(RunOnce(check).warnings, IsEmpty());
}

TEST(Check, SaysOnceThatNothingMatches) {
  Check check = MakeCheck("{name: app, search_string: [no-such-process]}");
  EXPECT_THAT(RunOnce(check).warnings,
              ElementsAre("no process matches the instance \"app\""));
  EXPECT_THAT(RunOnce(check).warnings, IsEmpty());
}

TEST(Check, TellsAnAgentThatNothingMatches) {
  Check check = MakeCheck("{name: app, search_string: [no-such-process]}");
  const RecordingSink sink = RunOnce(check);
  ASSERT_THAT(sink.service_checks, SizeIs(1));
  EXPECT_EQ(sink.service_checks[0].status, ServiceStatus::kUnknown);
  EXPECT_THAT(sink.service_checks[0].message, HasSubstr("no process matches"));
}

TEST(Check, LeavesOutAThreadGivenForAProcessAndNamesTheProcess) {
  PythonProcess python(AnyPython().executable,
                       "import os, threading\n"
                       "threading.Thread(target=os.read, args=(0, 1)).start()\n"
                       "os.write(1, b'\\n')");
  python.ReadLine();
  const std::string tasks = absl::StrCat("/proc/", python.pid(), "/task");
  const std::vector<pid_t> threads = *ListIds(tasks);
  ASSERT_THAT(threads, SizeIs(2));
  for (const pid_t thread : threads) {
    if (thread == python.pid()) continue;
    Check check = CheckOf(thread);
    const RecordingSink sink = RunOnce(check);
    EXPECT_THAT(sink.gauges, IsEmpty());
    EXPECT_THAT(sink.warnings, Contains(HasSubstr(absl::StrCat(
                                   "a thread of the process ", python.pid()))));
  }
}

// Out of descriptors, what is watched stays watched, and the reason is said.
TEST(Check, SaysThatDescriptorsRanOut) {
  PythonProcess first(AnyPython().executable, kWaits);
  PythonProcess second(AnyPython().executable, kWaits);
  first.ReadLine();
  second.ReadLine();
  RunApart([&] {
    Check watched = CheckOf(first.pid());
    RunOnce(watched);
    Check unwatched = CheckOf(second.pid());
    Check searching = MakeCheck("{name: app, search_string: [python3]}");
    const rlimit none = {.rlim_cur = CountDescriptors(),
                         .rlim_max = CountDescriptors()};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    std::vector<UniqueFd> taken;
    for (UniqueFd fd(dup(STDERR_FILENO)); fd.valid();
         fd = UniqueFd(dup(STDERR_FILENO))) {
      taken.push_back(std::move(fd));
    }

    EXPECT_THAT(RunOnce(unwatched).warnings,
                Contains(HasSubstr("LimitNOFILE")));
    EXPECT_THAT(std::string(searching.Collect().message()),
                HasSubstr("Too many open files"));
    EXPECT_TRUE(watched.Collect().ok());
  });
}

TEST(Check, FailsWhenThePidFileIsMissing) {
  Check check = MakeCheck("{name: app, pid_file: /no/such/file}");
  const absl::Status status = check.Collect();
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("pid_file"), HasSubstr("/no/such/file")));
}

TEST(Check, NamesTheOptionWhenProcfsIsNotThere) {
  const absl::StatusOr<Options> options = ParseOptions(
      *ParseYaml("procfs_path: /tmp"), *ParseYaml("{name: app, pid: 1}"));
  EXPECT_THAT(std::string(Check::Create(*options, "/proc").status().message()),
              AllOf(HasSubstr("procfs_path"), HasSubstr("/tmp")));
}

TEST(Check, ReadsWhatItMayOfAnotherUsersProcess) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  RunApart([&] {
    constexpr uid_t kNobody = 65534;
    ASSERT_EQ(setuid(kNobody), 0);
    Check check = CheckOf(python.pid());
    const RecordingSink first = RunOnce(check);
    const std::string remedy = "give the Agent CAP_SYS_PTRACE";
    EXPECT_THAT(
        first.warnings,
        ElementsAre(AllOf(HasSubstr(absl::StrCat(python.pid())),
                          HasSubstr("Permission denied"), HasSubstr(remedy))));
    ASSERT_THAT(first.service_checks, SizeIs(1));
    EXPECT_EQ(first.service_checks[0].name, "python.gc.readable");
    EXPECT_EQ(first.service_checks[0].status, ServiceStatus::kWarning);
    EXPECT_THAT(first.service_checks[0].message, HasSubstr(remedy));

    for (int i = 0; i < 100; ++i) {
      RecordingSink later = RunOnce(check);
      EXPECT_THAT(later.warnings, IsEmpty());
      EXPECT_THAT(later.gauges[UnknownSeries(python.pid())],
                  ElementsAre(Key("runtime.python.cpu.ctx_switch.involuntary"),
                              Key("runtime.python.cpu.ctx_switch.voluntary"),
                              Key("runtime.python.cpu.percent"),
                              Key("runtime.python.cpu.time.sys"),
                              Key("runtime.python.cpu.time.user"),
                              Key("runtime.python.mem.rss"),
                              Key("runtime.python.thread_count")));
    }
  });
}

// In a pid namespace the next pid can be chosen, so that a new process gets the
// pid of an old one.
TEST(Check, TakesAReusedPidForTheNewProcessThatItIs) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  RunApart([] {
    ASSERT_EQ(unshare(CLONE_NEWPID | CLONE_NEWNS), 0);
    RunApart([] {
      ASSERT_EQ(mount("none", "/proc", nullptr, MS_PRIVATE, nullptr), 0);
      ASSERT_EQ(mount("proc", "/proc", "proc", 0, nullptr), 0);
      constexpr pid_t kPid = 300;
      const auto choose_next_pid = [] {
        std::ofstream("/proc/sys/kernel/ns_last_pid") << kPid - 1;
      };
      choose_next_pid();
      auto first =
          std::make_unique<PythonProcess>(AnyPython().executable, kWorks);
      ASSERT_EQ(first->pid(), kPid);
      for (int i = 0; i < 4; ++i) first->ReadLine(), first->WriteLine("");
      Check check = CheckOf(kPid);
      RunOnce(check);
      ASSERT_THAT(GaugesOf(check, kPid), SizeIs(kGaugeCount));
      first.reset();

      choose_next_pid();
      PythonProcess second(AnyPython().executable, kWorks);
      ASSERT_EQ(second.pid(), kPid);
      const std::vector<double> used = Numbers(second.ReadLine());
      const auto gauges = GaugesOf(check, kPid);
      ASSERT_THAT(gauges, SizeIs(kGaugeCount));
      EXPECT_NEAR(gauges.at("runtime.python.cpu.time.user") +
                      gauges.at("runtime.python.cpu.time.sys"),
                  used[0], 0.02);
    });
  });
}

}  // namespace
}  // namespace pycheck

#include "lib/check/check.h"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/unique_fd.h"
#include "lib/base/users.h"
#include "lib/check/watchlist.h"
#include "lib/config/document.h"
#include "lib/config/options.h"
#include "lib/procfs/procfs.h"
#include "tests/testing/apart.h"
#include "tests/testing/child_process.h"
#include "tests/testing/command.h"
#include "tests/testing/descriptors.h"
#include "tests/testing/python_process.h"
#include "tests/testing/reads.h"
#include "tests/testing/recording_sink.h"
#include "tests/testing/temporary_file.h"

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

constexpr char kUp[] = "python.process.up";
constexpr char kReadable[] = "python.gc.readable";

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

// The tags of a process in which no interpreter was found, and more, as the
// sink joins them.
std::string UnknownSeries(pid_t pid, std::vector<std::string> more = {}) {
  more.insert(more.end(), {absl::StrCat("pid:", pid), "process_name:app"});
  return absl::StrJoin(TagSet(more).tags(), ",");
}

// The tags of a process that runs AnyPython().
std::string Series(pid_t pid, std::vector<std::string> more = {}) {
  static const std::string version =
      LinesOf(AnyPython().executable +
              " -c 'import platform; print(platform.python_version())'")
          .front();
  more.insert(more.end(), {"lang:python", "lang_interpreter:cpython",
                           absl::StrCat("lang_version:", version)});
  return UnknownSeries(pid, std::move(more));
}

// What the instance "app" says where it finds none, with the reason if it knows
// one. These tests may run in a container.
std::string NothingMatches(std::string_view reason = "") {
  return absl::StrCat(
      "no process matches the instance \"app\"", reason,
      Procfs::Open("/proc")->is_of_container()
          ? "; /proc has the processes of the Agent's own container only: "
            "mount the host's procfs and set procfs_path to where it is, such "
            "as /host/proc, or let the Agent have the host's pid namespace"
          : "");
}

// A word that no other process has in its command line.
std::string UniqueWord() {
  static int count = 0;
  return absl::StrCat("unique-", getpid(), "-", ++count);
}

std::map<std::string, double> GaugesOf(Check& check, pid_t pid) {
  return RunOnce(check).gauges[Series(pid)];
}

// Has it do something, and waits until that is done.
void Advance(PythonProcess& python) {
  python.Ask("");
  AwaitRest(python.pid());
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
  EXPECT_THAT(sink.gauges[UnknownSeries(
                  python.pid(), {"lang:python", "lang_interpreter:pypy"})],
              SizeIs(7));
  EXPECT_THAT(sink.gauges, SizeIs(1));
  EXPECT_THAT(sink.warnings, IsEmpty());
  EXPECT_EQ(sink.Find(kReadable).status, ServiceStatus::kOk);
  EXPECT_EQ(sink.Find(kReadable).message, "");
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
  EXPECT_THAT(first.warnings, ElementsAre(HasSubstr("hold no Python"),
                                          HasSubstr("no process")));
  EXPECT_THAT(RunOnce(check).warnings, IsEmpty());
}

TEST(Check, SaysOnceThatNothingMatches) {
  Check check = MakeCheck("{name: app, search_string: [no-such-process]}");
  EXPECT_THAT(RunOnce(check).warnings, ElementsAre(NothingMatches()));
  EXPECT_THAT(RunOnce(check).warnings, IsEmpty());
}

TEST(Check, TellsAnAgentThatNothingMatches) {
  Check check = MakeCheck("{name: app, search_string: [no-such-process]}");
  const RecordingSink sink = RunOnce(check);
  EXPECT_EQ(sink.Find(kReadable).status, ServiceStatus::kUnknown);
  EXPECT_EQ(sink.Find(kUp).status, ServiceStatus::kCritical);
  EXPECT_EQ(sink.Find(kUp).message, NothingMatches());
  EXPECT_EQ(sink.others.at("process_name:app").at("python.process.count"), 0);
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

TEST(Check, LosesNothingWhereThereAreFewerDescriptorsThanProcesses) {
  constexpr size_t kChildren = 40;
  const std::string word = UniqueWord();
  PythonProcess python(AnyPython().executable, kForks,
                       {absl::StrCat(kChildren), word});
  python.ReadLine();
  RunApart([&] {
    const size_t before = CountDescriptors();
    const rlimit few = {.rlim_cur = before + kChildren,
                        .rlim_max = before + kChildren};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    Check check = MakeCheck(absl::StrCat("{name: app, search_string: ['", word,
                                         "'], exact_match: false}"));
    // Those whose files are closed count for the limit too.
    Check limited =
        MakeCheck(absl::StrCat("{name: app, limit: 20, exact_match: false, "
                               "search_string: ['",
                               word, "']}"));
    std::set<std::string> reported;
    for (int run = 0; run < 3; ++run) {
      const RecordingSink sink = RunOnce(limited);
      EXPECT_THAT(sink.gauges, SizeIs(20));
      for (const auto& [series, gauges] : sink.gauges) reported.insert(series);
    }
    EXPECT_THAT(reported, SizeIs(20));
    for (const size_t gauges : {5, 10, 10}) {
      const RecordingSink sink = RunOnce(check);
      EXPECT_THAT(sink.warnings, IsEmpty());
      EXPECT_THAT(sink.gauges, SizeIs(kChildren + 1));
      EXPECT_THAT(sink.gauges.at(Series(python.pid())), SizeIs(gauges));
      // But for the files of the one that was the last to have room.
      const std::vector<int> open = *ListIds("/proc/self/fd");
      EXPECT_LE(std::count_if(open.begin(), open.end(),
                              [&](int fd) {
                                return fd < static_cast<int>(few.rlim_cur);
                              }),
                static_cast<int>(few.rlim_cur) * 3 / 4 + 3);
    }
  });
}

// Out of descriptors, what is watched stays watched, and the reason is said.
TEST(Check, SaysThatDescriptorsRanOut) {
  const std::string word = UniqueWord();
  PythonProcess first(AnyPython().executable, kWaits, {word});
  PythonProcess second(AnyPython().executable, kWaits);
  first.ReadLine();
  second.ReadLine();
  RunApart([&] {
    Check watched = CheckOf(first.pid());
    RunOnce(watched);
    Check found = MakeCheck(absl::StrCat("{name: app, search_string: ['", word,
                                         "'], exact_match: false}"));
    RunOnce(found);
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
    EXPECT_THAT(RunOnce(found).gauges, SizeIs(1));
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
    EXPECT_EQ(first.Find(kReadable).status, ServiceStatus::kWarning);
    EXPECT_THAT(first.Find(kReadable).message, HasSubstr(remedy));
    EXPECT_EQ(first.Find(kUp).status, ServiceStatus::kOk);
    EXPECT_TRUE(first.error.ok());

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
  RunInPidNamespace([] {
    constexpr pid_t kPid = 300;
    ChooseNextPid(kPid);
    auto first =
        std::make_unique<PythonProcess>(AnyPython().executable, kWorks);
    ASSERT_EQ(first->pid(), kPid);
    for (int i = 0; i < 4; ++i) first->ReadLine(), first->WriteLine("");
    Check check = CheckOf(kPid);
    RunOnce(check);
    ASSERT_THAT(GaugesOf(check, kPid), SizeIs(kGaugeCount));
    first.reset();

    ChooseNextPid(kPid);
    PythonProcess second(AnyPython().executable, kWorks);
    ASSERT_EQ(second.pid(), kPid);
    const std::vector<double> used = Numbers(second.ReadLine());
    const auto gauges = GaugesOf(check, kPid);
    ASSERT_THAT(gauges, SizeIs(kGaugeCount));
    EXPECT_NEAR(gauges.at("runtime.python.cpu.time.user") +
                    gauges.at("runtime.python.cpu.time.sys"),
                used[0], 0.02);
  });
}

// Processes with this word in their command lines.
std::string InstanceOf(const std::string& word, std::string_view options = "") {
  return absl::StrCat("{name: app, exact_match: false, search_string: [", word,
                      "]", options, "}");
}

std::unique_ptr<PythonProcess> Waiting(const std::string& word) {
  auto python = std::make_unique<PythonProcess>(AnyPython().executable, kWaits,
                                                std::vector<std::string>{word});
  python->ReadLine();
  return python;
}

double CountOf(const RecordingSink& sink) {
  return sink.others.at("process_name:app").at("python.process.count");
}

TEST(Check, CountsTheProcessesThatHoldAPython) {
  const std::string word = UniqueWord();
  Check check = MakeCheck(InstanceOf(word));
  EXPECT_EQ(CountOf(RunOnce(check)), 0);
  const auto first = Waiting(word);
  const auto second = Waiting(word);
  const ChildProcess shell = ShellChild({word});
  EXPECT_EQ(CountOf(RunOnce(check)), 2);
}

TEST(Check, TakesItsThresholdsAsTheProcessCheckDoes) {
  const std::string word = UniqueWord();
  const auto python = Waiting(word);
  const auto up = [&](std::string_view thresholds) {
    Check check =
        MakeCheck(InstanceOf(word, absl::StrCat(", thresholds: ", thresholds)));
    return RunOnce(check).Find(kUp);
  };
  EXPECT_EQ(up("{}").status, ServiceStatus::kOk);
  EXPECT_EQ(up("{warning: [1, 1]}").status, ServiceStatus::kOk);
  EXPECT_EQ(up("{warning: [2, 5], critical: [1, 9]}").status,
            ServiceStatus::kWarning);
  EXPECT_EQ(up("{warning: [0, 0], critical: [0, 9]}").status,
            ServiceStatus::kWarning);
  EXPECT_EQ(up("{critical: [2, 9]}").status, ServiceStatus::kCritical);
  EXPECT_EQ(up("{critical: [2, 9]}").message,
            "1 processes match the instance \"app\", which is critical outside "
            "of 2 to 9");
  Check none = MakeCheck(
      "{name: app, search_string: [no-such], thresholds: {critical: [0, 5], "
      "warning: [0, 5]}}");
  EXPECT_EQ(RunOnce(none).Find(kUp).status, ServiceStatus::kOk);
}

TEST(Check, SaysThatTheProcessOfAPidFileHasEnded) {
  auto python = Waiting("x");
  const TemporaryFile file(absl::StrCat(python->pid(), "\n"));
  Check check =
      MakeCheck(absl::StrCat("{name: app, pid_file: ", file.path(), "}"));
  EXPECT_EQ(RunOnce(check).Find(kUp).status, ServiceStatus::kOk);
  python.reset();
  const RecordingSink sink = RunOnce(check);
  EXPECT_TRUE(sink.error.ok());
  EXPECT_EQ(sink.Find(kUp).status, ServiceStatus::kCritical);
  EXPECT_EQ(sink.Find(kUp).message,
            NothingMatches(absl::StrCat(": the one whose id is in ",
                                        file.path(), " has ended")));
}

TEST(Check, DoesNotSayThatALivingProcessHasEnded) {
  const ChildProcess shell = ShellChild({"x"});
  const TemporaryFile file(absl::StrCat(shell.pid(), "\n"));
  Check no_python =
      MakeCheck(absl::StrCat("{name: app, pid_file: ", file.path(), "}"));
  EXPECT_THAT(RunOnce(no_python).Find(kUp).message,
              AllOf(HasSubstr("hold no Python"), Not(HasSubstr("ended"))));
  Check excluded = MakeCheck(
      absl::StrCat("{name: app, exclude: [sh], pid_file: ", file.path(), "}"));
  EXPECT_EQ(RunOnce(excluded).Find(kUp).message, NothingMatches());
}

TEST(Check, IsCriticalWhenThePidFileIsMissingAndUnknownWhenItIsBad) {
  Check missing = MakeCheck("{name: app, pid_file: /no/such/file}");
  RecordingSink sink = RunOnce(missing);
  EXPECT_FALSE(sink.error.ok());
  EXPECT_EQ(sink.Find(kUp).status, ServiceStatus::kCritical);
  EXPECT_THAT(sink.Find(kUp).message, HasSubstr("/no/such/file"));
  EXPECT_EQ(sink.Find(kReadable).status, ServiceStatus::kUnknown);
  EXPECT_THAT(sink.others, IsEmpty());

  const TemporaryFile empty("");
  Check bad =
      MakeCheck(absl::StrCat("{name: app, pid_file: ", empty.path(), "}"));
  sink = RunOnce(bad);
  EXPECT_THAT(std::string(sink.error.message()),
              HasSubstr("not a process id; its first line must be one number"));
  EXPECT_EQ(sink.Find(kUp).status, ServiceStatus::kUnknown);
}

TEST(Check, DiscoversWhateverHoldsAPython) {
  const std::string word = UniqueWord();
  const auto python = Waiting(word);
  const auto excluded = Waiting(word + "-excluded");
  const ChildProcess shell = ShellChild({word});
  Check check = MakeCheck(absl::StrCat("{name: app, discover: all, exclude: [",
                                       word, "-excluded]}"));
  RecordingSink sink = RunOnce(check);
  EXPECT_THAT(sink.gauges, Contains(Key(Series(python->pid()))));
  EXPECT_THAT(sink.gauges, Not(Contains(Key(Series(excluded->pid())))));
  for (const auto& [series, gauges] : sink.gauges) {
    EXPECT_THAT(series, Not(HasSubstr(absl::StrCat("pid:", shell.pid(), ","))));
  }
  // What holds no Python is most of a machine, and not worth a word.
  for (const std::string& warning : sink.warnings) {
    EXPECT_THAT(warning, Not(HasSubstr("hold no Python")));
  }
}

// Waits, and becomes a Python, which waits too.
void BecomePython(const Channel& channel) {
  TellAndWait(channel);
  dup2(channel.fd(), STDIN_FILENO);
  dup2(channel.fd(), STDOUT_FILENO);
  execl(AnyPython().executable.c_str(), "python", "-c", kWaits, nullptr);
}

TEST(Check, DiscoversAProgramThatBecomesAPython) {
  const ChildProcess child(BecomePython);
  Check check = MakeCheck("{name: app, discover: all}");
  const std::string series = Series(child.pid());
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(RunOnce(check).gauges, Not(Contains(Key(series))));
  }
  child.channel().Tell();
  child.channel().Await();
  EXPECT_THAT(RunOnce(check).gauges, Contains(Key(series)));
}

// Without the right to look into a process nothing says what it is.
TEST(Check, LeavesOutOfDiscoveryWhatItMayNotLookInto) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  const auto python = Waiting("x");
  RunApart([&] {
    constexpr uid_t kNobody = 65534;
    ASSERT_EQ(setuid(kNobody), 0);
    const size_t before = CountDescriptors();
    Check check = MakeCheck("{name: app, discover: all}");
    const RecordingSink sink = RunOnce(check);
    EXPECT_THAT(sink.gauges, IsEmpty());
    EXPECT_EQ(sink.Find(kReadable).status, ServiceStatus::kWarning);
    EXPECT_THAT(sink.Find(kReadable).message,
                AllOf(HasSubstr("it may not be seen whether they hold a "
                                "Python"),
                      HasSubstr("give the Agent CAP_SYS_PTRACE")));
    EXPECT_LE(CountDescriptors(), before + 1);  // taskstats
    // Whether there is none cannot be told.
    EXPECT_EQ(sink.Find(kUp).status, ServiceStatus::kUnknown);
    EXPECT_THAT(sink.Find(kUp).message, Not(HasSubstr("no process matches")));
    EXPECT_THAT(sink.others, IsEmpty());
    // Nor how many there are, where one is seen.
    PythonProcess own(PythonNamed("debian"), kWaits);
    own.ReadLine();
    const RecordingSink later = RunOnce(check);
    EXPECT_THAT(later.gauges, SizeIs(1));
    EXPECT_EQ(later.Find(kUp).status, ServiceStatus::kOk);
    EXPECT_THAT(later.others, IsEmpty());
  });
}

// How many there are cannot be told where procfs hides what they are.
TEST(Check, IsUnsureOfHowManyThereAreWhereProcfsHidesThem) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  const auto python = Waiting("x");
  RunApart([] {
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(mount("none", "/proc", nullptr, MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount("proc", "/proc", "proc", 0, "hidepid=1"), 0);
    constexpr uid_t kNobody = 65534;
    ASSERT_EQ(setgroups(0, nullptr), 0);  // it hides nothing from group 0
    ASSERT_EQ(setgid(kNobody), 0);
    ASSERT_EQ(setuid(kNobody), 0);
    Check check = MakeCheck("{name: app, search_string: [no-such-process]}");
    const RecordingSink sink = RunOnce(check);
    EXPECT_EQ(sink.Find(kUp).status, ServiceStatus::kUnknown);
    EXPECT_THAT(sink.Find(kUp).message,
                AllOf(HasSubstr("processes may not be looked at"),
                      HasSubstr("mount procfs without hidepid")));
    EXPECT_THAT(sink.Find(kUp).message, Not(HasSubstr("no process matches")));
    EXPECT_THAT(sink.others, IsEmpty());
    Check strict = MakeCheck(
        "{name: app, search_string: [x], ignore_denied_access: false}");
    EXPECT_THAT(std::string(RunOnce(strict).error.message()),
                HasSubstr("ignore_denied_access is false"));
  });
}

TEST(Check, WatchesNoMoreThanItsLimitAndSaysHowManyAreLeftOut) {
  const std::string word = UniqueWord();
  std::vector<std::unique_ptr<PythonProcess>> pythons;
  for (int i = 0; i < 5; ++i) pythons.push_back(Waiting(word));
  const size_t before = CountDescriptors();
  Check check = MakeCheck(InstanceOf(word, ", limit: 3"));
  const size_t at_rest = CountDescriptors();
  RecordingSink sink = RunOnce(check);
  ASSERT_THAT(sink.gauges, SizeIs(3));
  EXPECT_EQ(CountDescriptors(), at_rest + 9);
  EXPECT_EQ(CountOf(sink), 5);
  EXPECT_THAT(sink.warnings,
              ElementsAre("2 of 5 processes are left out, as limit is 3; raise "
                          "it, or choose fewer processes"));
  EXPECT_THAT(sink.Find(kUp).message, HasSubstr("2 of 5 processes"));

  // The same ones are watched as long as they live; then there is room.
  const auto watched = sink.gauges;
  sink = RunOnce(check);
  for (const auto& [series, gauges] : watched) {
    EXPECT_THAT(sink.gauges, Contains(Key(series)));
  }
  EXPECT_THAT(sink.warnings, IsEmpty());
  std::erase_if(pythons, [&](const auto& python) {
    return watched.contains(Series(python->pid()));
  });
  sink = RunOnce(check);
  EXPECT_THAT(sink.gauges, SizeIs(2));
  EXPECT_EQ(sink.Find(kUp).message, "");
  EXPECT_GE(CountDescriptors(), before);
}

TEST(Check, GivesNoSumThatLacksProcesses) {
  const std::string word = UniqueWord();
  const auto first = Waiting(word);
  const auto second = Waiting(word);
  Check check = MakeCheck(InstanceOf(word, ", limit: 1, aggregation: sum"));
  const RecordingSink sink = RunOnce(check);
  EXPECT_THAT(sink.gauges, IsEmpty());
  EXPECT_EQ(CountOf(sink), 2);
  EXPECT_THAT(sink.Find(kUp).message, HasSubstr("sums are left out"));
}

// In the run in which the shell became a Python there was no time for it.
TEST(Check, NoticesAPythonInALaterRunThanItCame) {
  const ChildProcess child(BecomePython);
  Options options = *ParseOptions(
      nullptr, *ParseYaml(absl::StrCat("{name: app, pid: ", child.pid(), "}")));
  const Procfs procfs = *Procfs::Open("/proc");
  Binaries binaries;
  const Sources sources{procfs, nullptr, binaries, false, false};
  Watchlist watchlist(options, {});
  const auto update = [&](bool changed, absl::Duration time) {
    watchlist.Update({{.pid = child.pid(),
                       .may_have_changed = changed,
                       .inode = 0,
                       .unseen_until_ns = std::nullopt},
                      {.pid = getpid(),
                       .may_have_changed = true,
                       .inode = 0,
                       .unseen_until_ns = std::nullopt}},
                     sources, Deadline(time));
    return watchlist.processes().at(child.pid()).state;
  };
  EXPECT_EQ(update(true, absl::Minutes(1)), Watched::State::kNoPython);
  child.channel().Tell();
  child.channel().Await();
  // The other one has waited longer, and takes the time.
  for (int i = 0; i < 2; ++i) update(i == 1, absl::ZeroDuration());
  EXPECT_EQ(update(false, absl::Minutes(1)), Watched::State::kReported);
}

TEST(Check, AddsUpWhatHasTheSameTags) {
  const std::string word = UniqueWord();
  std::vector<std::unique_ptr<PythonProcess>> pythons;
  for (int i = 0; i < 3; ++i) pythons.push_back(Waiting(word));
  // What the first reading looks at is resident from then on.
  Check first = MakeCheck(InstanceOf(word));
  RunOnce(first);
  Check each = MakeCheck(InstanceOf(word));
  Check sum = MakeCheck(InstanceOf(word, ", aggregation: sum"));
  for (int run = 0; run < 3; ++run) {
    const RecordingSink of_each = RunOnce(each);
    const RecordingSink of_all = RunOnce(sum);
    ASSERT_THAT(of_each.gauges, SizeIs(3));
    ASSERT_THAT(of_all.gauges, SizeIs(1));
    const auto& [series, sums] = *of_all.gauges.begin();
    EXPECT_THAT(series, Not(HasSubstr(",pid:")));
    EXPECT_EQ(of_all.others.at(series).at("python.process.summed"), 3);
    EXPECT_THAT(sums, SizeIs(run == 0 ? 5 : 10));
    for (const char* name :
         {"runtime.python.gc.count.gen0", "runtime.python.gc.count.gen1",
          "runtime.python.gc.count.gen2", "runtime.python.mem.rss",
          "runtime.python.thread_count"}) {
      double total = 0;
      for (const auto& [pid, gauges] : of_each.gauges) total += gauges.at(name);
      EXPECT_EQ(sums.at(name), total) << name;
    }
  }
}

TEST(Check, LeavesADifferenceOutOfASumUntilEveryProcessHasIt) {
  const std::string word = UniqueWord();
  const auto first = Waiting(word);
  Check check = MakeCheck(InstanceOf(word, ", aggregation: sum"));
  RunOnce(check);
  EXPECT_THAT(RunOnce(check).gauges.begin()->second, SizeIs(kGaugeCount));
  // One that was there before, and is chosen only now.
  PythonProcess late(
      AnyPython().executable,
      "import os, sys, time\n"
      "os.write(1, b'\\n'); os.read(0, 1)\n"
      "os.execv(sys.argv[1], [sys.argv[1], '-c', "
      "sys.argv[2], sys.argv[3] + sys.argv[4]])",
      {AnyPython().executable, kWaits, word.substr(0, 5), word.substr(5)});
  late.ReadLine();
  RunOnce(check);
  late.Ask("");
  EXPECT_THAT(RunOnce(check).gauges.begin()->second, SizeIs(5));
  EXPECT_THAT(RunOnce(check).gauges.begin()->second, SizeIs(kGaugeCount));
}

TEST(Check, TagsByWhatIsAskedFor) {
  const std::string word = UniqueWord();
  const auto python = Waiting(word);
  Check check = MakeCheck(InstanceOf(word, ", tag_by: [ppid, user, command]"));
  const RecordingSink sink = RunOnce(check);
  ASSERT_THAT(sink.gauges, SizeIs(1));
  EXPECT_EQ(
      sink.gauges.begin()->first,
      Series(python->pid(),
             {absl::StrCat("ppid:", getpid()),
              absl::StrCat("user:", *UserName(getuid())),
              absl::StrCat("command:", *ReadProcessName(*Procfs::Open("/proc"),
                                                        python->pid()))}));
}

std::unique_ptr<PythonProcess> Serving(
    const std::vector<std::string>& environment,
    const std::string& script = kWaits) {
  auto python = std::make_unique<PythonProcess>(
      "", std::vector<std::string>{AnyPython().executable, "-c", script},
      environment);
  python->ReadLine();
  return python;
}

TEST(Check, TagsByTheServiceThatTheProcessSaysItIs) {
  const auto python = Serving({"DD_SERVICE=shop", "DD_ENV=prod",
                               "DD_TAGS=team:web,version:7", "PASSWORD=x"});
  Check check = CheckOf(python->pid());
  EXPECT_THAT(
      RunOnce(check).gauges,
      ElementsAre(Key(Series(python->pid(), {"service:shop", "env:prod",
                                             "version:7", "team:web"}))));
}

TEST(Check, TagsByWhatTheProcessSetItselfSinceTheFirstRun) {
  const auto python = Serving({}, absl::StrCat("import os\n"
                                               "os.write(1, b'\\n')\n"
                                               "os.read(0, 1)\n"
                                               "os.environ['DD_ENV'] = 'e'\n",
                                               kWaits));
  Check check = CheckOf(python->pid());
  EXPECT_THAT(RunOnce(check).gauges, ElementsAre(Key(Series(python->pid()))));
  Advance(*python);
  EXPECT_THAT(RunOnce(check).gauges,
              ElementsAre(Key(Series(python->pid(), {"env:e"}))));
}

// Then it does as a tracer does that sends runtime metrics.
constexpr char kIsTracedLater[] = R"(
import os, sys
os.write(1, b'\n')
os.read(0, 1)
fd = os.memfd_create('datadog-tracer-info-x')
os.write(fd, b'\x82\xaftracer_language\xa6python\xaetracer_version\xa34.0')
open('/proc/self/comm', 'w').write('RuntimeWorker')
grown = bytearray(1 << 24)
os.write(1, b'\n')
os.read(0, 1)
)";

TEST(Check, LeavesAProcessToATracerThatComesLater) {
  const auto python = Serving({}, absl::StrCat(kIsTracedLater, kWaits));
  Check skipping = CheckOf(python->pid());
  Check collecting =
      MakeCheck(absl::StrCat("{name: app, pid: ", python->pid(),
                             ", tracer_runtime_metrics: collect}"));
  EXPECT_THAT(RunOnce(skipping).gauges, SizeIs(1));
  RunOnce(collecting);
  const size_t before = CountDescriptors();
  Advance(*python);
  const RecordingSink sink = RunOnce(skipping);
  EXPECT_THAT(sink.gauges, IsEmpty());
  EXPECT_EQ(
      sink.others.at("process_name:app").at("python.process.left_to_tracer"),
      1);
  EXPECT_EQ(CountOf(sink), 1);
  EXPECT_THAT(
      sink.warnings,
      ElementsAre(HasSubstr("1 of 1 processes are left to their tracers")));
  EXPECT_EQ(sink.Find(kUp).status, ServiceStatus::kOk);
  EXPECT_LT(CountDescriptors(), before);
  EXPECT_THAT(RunOnce(skipping).gauges, IsEmpty());
  EXPECT_THAT(RunOnce(collecting).gauges,
              ElementsAre(Key(Series(python->pid(), {"tracer_version:4.0"}))));
}

TEST(Check, TagsByWhatTheTracerDoesWhereThatIsAskedFor) {
  const auto python = Serving({"DD_PROFILING_ENABLED=true"},
                              absl::StrCat(kIsTracedLater, kWaits));
  Check check = MakeCheck(absl::StrCat("{name: app, pid: ", python->pid(),
                                       ", tag_by: [tracer], "
                                       "tracer_runtime_metrics: collect}"));
  EXPECT_THAT(
      RunOnce(check).gauges,
      ElementsAre(Key(
          Series(python->pid(), {"tracer_loaded:false", "tracing_enabled:false",
                                 "profiling_enabled:false"}))));
  RunOnce(check);
  Advance(*python);
  EXPECT_THAT(
      RunOnce(check).gauges,
      ElementsAre(Key(Series(
          python->pid(), {"tracer_version:4.0", "tracer_loaded:true",
                          "tracing_enabled:true", "profiling_enabled:true"}))));
}

TEST(Check, ReportsAProcessAgainThatHasExecutedAnotherProgram) {
  const auto python = Serving(
      {}, absl::StrCat(kIsTracedLater, "code = '''", kWaits, "'''\n",
                       "os.execv(sys.executable, [sys.executable, '-c', "
                       "code.replace('\\n\\'', '\\\\n\\'')])\n"));
  Check check = CheckOf(python->pid());
  RunOnce(check);
  Advance(*python);
  EXPECT_THAT(RunOnce(check).gauges, IsEmpty());
  Advance(*python);
  EXPECT_THAT(RunOnce(check).gauges, ElementsAre(Key(Series(python->pid()))));
}

TEST(Check, ReadsNothingButTheMemorySizeOfAProcessAtRest) {
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  AwaitRest(python.pid());
  Check check = CheckOf(python.pid());
  RunOnce(check);
  RunOnce(check);
  constexpr int kRuns = 50;
  const int64_t before = CountReads();
  for (int i = 0; i < kRuns; ++i) {
    EXPECT_THAT(RunOnce(check).gauges.begin()->second, SizeIs(kGaugeCount));
  }
  const int64_t own = 2;  // of CountReads itself
  EXPECT_LE(CountReads() - before, kRuns + own);
}

TEST(Check, GivesOfAProcessAtRestWhatIsReadOfItAnew) {
  PythonProcess python(AnyPython().executable, kKeepsItsCounts);
  const std::vector<double> counts = Numbers(python.ReadLine());
  AwaitRest(python.pid());
  Check check = CheckOf(python.pid());
  for (int i = 0; i < 3; ++i) RunOnce(check);
  Check anew = CheckOf(python.pid());
  const auto expected = GaugesOf(anew, python.pid());
  auto gauges = GaugesOf(check, python.pid());
  ASSERT_THAT(gauges, SizeIs(kGaugeCount));
  for (const auto& [name, value] : gauges) {
    EXPECT_EQ(value, expected.contains(name) ? expected.at(name) : 0) << name;
  }
  for (size_t i = 0; i < counts.size(); ++i) {
    EXPECT_EQ(gauges[absl::StrCat("runtime.python.gc.count.gen", i)],
              counts[i]);
  }
}

TEST(Check, ReadsAProcessAnewThatHasRun) {
  PythonProcess python(AnyPython().executable,
                       "import gc, os\n"
                       "gc.disable()\n"
                       "kept = []\n"
                       "os.write(1, b'\\n')\n"
                       "while os.read(0, 1):\n"
                       "  kept.append([[] for _ in range(100)])\n"
                       "  os.write(1, b'\\n')\n");
  python.ReadLine();
  AwaitRest(python.pid());
  Check check = CheckOf(python.pid());
  const char* const name = "runtime.python.gc.count.gen0";
  double before = GaugesOf(check, python.pid())[name];
  for (int i = 0; i < 20; ++i) {
    if (i % 2 == 0) RunOnce(check);
    Advance(python);
    const double now = GaugesOf(check, python.pid())[name];
    EXPECT_GT(now, before + 50);
    before = now;
  }
}

// That comes about without its doing.
TEST(Check, NoticesAnotherParentOfAProcessAtRest) {
  PythonProcess parent(AnyPython().executable,
                       "import os, signal\n"
                       "child = os.fork()\n"
                       "if child: os.write(1, b'%d\\n' % child)\n"
                       "signal.pause()\n");
  const auto child = static_cast<pid_t>(std::stoi(parent.ReadLine()));
  AwaitRest(child);
  Check check =
      MakeCheck(absl::StrCat("{name: app, pid: ", child, ", tag_by: [ppid]}"));
  const auto has_parent = [&](pid_t pid) {
    RunOnce(check);
    const RecordingSink sink = RunOnce(check);
    return sink.gauges.size() == 1 &&
           absl::StrContains(sink.gauges.begin()->first,
                             absl::StrCat("ppid:", pid, ","));
  };
  EXPECT_TRUE(has_parent(parent.pid()));
  parent.Kill();
  parent.Reap();
  EXPECT_FALSE(has_parent(parent.pid()));
  kill(child, SIGKILL);
}

TEST(Check, LetsTheConfigurationsServiceAndTagsWin) {
  const auto python = Serving({"DD_SERVICE=shop", "DD_ENV=prod"});
  Check check = MakeCheck(absl::StrCat("{name: app, pid: ", python->pid(),
                                       ", service: other, tags: [env:test]}"));
  const RecordingSink sink = RunOnce(check);
  ASSERT_THAT(sink.gauges, SizeIs(1));
  EXPECT_THAT(sink.gauges.begin()->first,
              AllOf(Not(HasSubstr("service:")), HasSubstr("env:test"),
                    Not(HasSubstr("env:prod"))));
}

// With no time at all one process is judged and one is read in each run: none
// waits for ever, and no difference is lost or counted twice.
TEST(Check, CarriesWhatThereIsNoTimeForToTheNextRun) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  RunInPidNamespace([] {
    std::vector<std::unique_ptr<PythonProcess>> pythons;
    for (int i = 0; i < 4; ++i) {
      pythons.push_back(std::make_unique<PythonProcess>(
          AnyPython().executable, kWorks, std::vector<std::string>{"word"}));
      pythons.back()->ReadLine();
    }
    Check check = MakeCheck(InstanceOf("word", ", time_budget: 0.000000001"));
    std::map<std::string, int> readings;
    bool said = false;
    for (int run = 0; run < 40; ++run) {
      const RecordingSink sink = RunOnce(check);
      EXPECT_LE(sink.gauges.size(), 1U);
      for (const auto& [series, gauges] : sink.gauges) ++readings[series];
      for (const std::string& warning : sink.warnings) {
        said = said || absl::StrContains(warning, "time_budget");
      }
    }
    ASSERT_THAT(readings, SizeIs(4));
    for (const auto& [series, count] : readings) EXPECT_GE(count, 6) << series;
    EXPECT_TRUE(said);
  });
}

TEST(Check, IsUnsureOfHowManyThereAreWhileSomeWait) {
  const std::string word = UniqueWord();
  const auto first = Waiting(word);
  const auto second = Waiting(word);
  Check check = MakeCheck(InstanceOf(
      word, ", time_budget: 0.000000001, thresholds: {critical: [5, 9]}"));
  const RecordingSink sink = RunOnce(check);
  EXPECT_EQ(sink.Find(kUp).status, ServiceStatus::kUnknown);
  EXPECT_THAT(sink.Find(kUp).message, HasSubstr("wait for the next run"));
  EXPECT_THAT(sink.others, IsEmpty());
}

TEST(Check, SaysOnceWhichOptionsMeanNothing) {
  Check check = MakeCheck("{name: app, pid: 4194304, try_sudo: true}");
  EXPECT_THAT(RunOnce(check).warnings, Contains(HasSubstr("\"try_sudo\"")));
  const RecordingSink later = RunOnce(check);
  EXPECT_THAT(later.warnings, IsEmpty());
  EXPECT_THAT(later.Find(kUp).message, HasSubstr("\"try_sudo\""));
}

}  // namespace
}  // namespace pycheck

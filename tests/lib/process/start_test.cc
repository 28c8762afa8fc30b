// Every way in which a Python may have been started, and what may have happened
// to its files since.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "lib/base/file.h"
#include "lib/process/process.h"
#include "tests/testing/command.h"
#include "tests/testing/python_process.h"
#include "tests/testing/stripped_python.h"
#include "tests/testing/temporary_file.h"

namespace pycheck {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

// A directory beside the test's own, that other users may enter.
class StartTest : public ::testing::Test {
 protected:
  // What is read of a process is what it says itself.
  void ExpectExact(PythonProcess& python) {
    ExpectCounts(python.pid(), Numbers(python.ReadLine()));
  }

  void ExpectCounts(pid_t pid, const std::vector<double>& reported) {
    ASSERT_EQ(reported.size(), 3U);
    absl::StatusOr<Process> process = Process::Open(procfs_, pid);
    ASSERT_TRUE(process.ok()) << process.status();
    const absl::StatusOr<Reading> reading = process->Read(sources_);
    ASSERT_TRUE(reading.ok()) << reading.status();
    ASSERT_TRUE(reading->gc_counts) << process->collector_status();
    EXPECT_THAT(*reading->gc_counts, ElementsAreArray(reported));
    version_ = process->interpreter()->version();
    environment_ = process->origin().environment();
  }

  const TemporaryDirectory directory_;
  const Procfs procfs_ = *Procfs::Open("/proc");
  Binaries binaries_;
  const Sources sources_{procfs_, nullptr, binaries_, /*user=*/false,
                         /*silent_tracer=*/false};
  // Of the last that was read.
  std::string version_;
  Variables environment_;
};

std::unique_ptr<PythonProcess> Start(
    const std::vector<std::string>& command,
    const std::vector<std::string>& environment = {}) {
  return std::make_unique<PythonProcess>("", command, environment);
}

// A program that embeds Python, and has begun.
std::unique_ptr<PythonProcess> StartEmbedding(
    const std::vector<std::string>& libraries,
    const std::vector<std::string>& environment) {
  std::vector<std::string> command = {EMBED, kKeepsItsCounts};
  command.insert(command.end(), libraries.begin(), libraries.end());
  auto program = Start(command, environment);
  program->ReadLine();
  return program;
}

// The libpython that a Python of this machine loads; empty where it has none.
std::string LibraryOf(const Python& python) {
  if (python.executable.empty()) return "";
  const std::string prefix =
      fs::path(python.executable).parent_path().parent_path();
  const std::vector<std::string> found =
      LinesOf(absl::StrCat("ls ", prefix, "/lib/libpython*.so.1.0 ", prefix,
                           "/lib/*/libpython3*.so.1.0 2>/dev/null"));
  return found.empty() ? "" : found.front();
}

// What such a library needs to find its modules.
std::string HomeOf(const Python& python) {
  return absl::StrCat(
      "PYTHONHOME=",
      fs::path(python.executable).parent_path().parent_path().string());
}

#define SKIP_WITHOUT(name)                                   \
  if (LibraryOf(PythonNamed(name)).empty()) {                \
    GTEST_SKIP() << "no libpython " name " on this machine"; \
  }

TEST_F(StartTest, InAVirtualEnvironment) {
  const std::string environment = directory_.File("environment");
  ASSERT_EQ(RunCommand(absl::StrCat(AnyPython().executable,
                                    " -m venv --without-pip ", environment))
                .exit_code,
            0);
  ExpectExact(*Start({environment + "/bin/python", "-c", kKeepsItsCounts}));
}

TEST_F(StartTest, ThroughASymbolicLink) {
  const std::string link = directory_.File("worker");
  fs::create_symlink(AnyPython().executable, link);
  ExpectExact(*Start({link, "-c", kKeepsItsCounts}));
}

TEST_F(StartTest, AsAScriptThatNamesItsInterpreter) {
  const std::string script = directory_.File("worker");
  std::ofstream(script) << "#!" << AnyPython().executable << "\n"
                        << kKeepsItsCounts;
  fs::permissions(script, fs::perms::owner_all);
  ExpectExact(*Start({script}));
}

TEST_F(StartTest, ThroughTheLoadersOwnPath) {
  std::string loader = "/lib64/ld-linux-x86-64.so.2";
  if (!fs::exists(loader)) loader = "/lib/ld-linux-aarch64.so.1";
  ExpectExact(*Start({loader, AnyPython().executable, "-c", kKeepsItsCounts}));
}

// unshare(1) forks; the process is its child.
TEST_F(StartTest, InAnotherMountAndPidNamespace) {
  PythonProcess unshare("",
                        {"/usr/bin/unshare", "--map-root-user", "--mount",
                         "--pid", "--fork", "--kill-child", "--mount-proc",
                         AnyPython().executable, "-c", kKeepsItsCounts},
                        {});
  const std::vector<double> counts = Numbers(unshare.ReadLine());
  if (counts.empty()) GTEST_SKIP() << "no namespaces on this machine";
  const absl::StatusOr<std::string> children =
      ReadWholeFile(absl::StrCat("/proc/", unshare.pid(), "/task/",
                                 unshare.pid(), "/children"),
                    4096);
  ASSERT_TRUE(children.ok()) << children.status();
  ExpectCounts(static_cast<pid_t>(std::stoi(*children)), counts);
}

TEST_F(StartTest, AfterAForkWithoutExec) {
  PythonProcess parent(AnyPython().executable,
                       absl::StrCat("import os\n"
                                    "pid = os.fork()\n"
                                    "if pid:\n"
                                    "  os.waitpid(pid, 0)\n"
                                    "  os._exit(0)\n"
                                    "os.write(1, b'%d\\n' % os.getpid())\n",
                                    kKeepsItsCounts));
  const auto child = static_cast<pid_t>(Numbers(parent.ReadLine())[0]);
  ExpectCounts(child, Numbers(parent.ReadLine()));
  parent.WriteLine("");
}

TEST_F(StartTest, AfterAnExecIntoAnotherPython) {
  const Python& debian = PythonNamed("debian");
  PythonProcess python(
      AnyPython().executable,
      "import os, sys; os.write(1, b'\\n'); os.read(0, 1)\n"
      "os.execv(sys.argv[1], [sys.argv[1], '-c', sys.argv[2]])",
      {debian.executable, kKeepsItsCounts});
  python.ReadLine();
  absl::StatusOr<Process> process = Process::Open(procfs_, python.pid());
  ASSERT_TRUE(process->Read(sources_).ok());
  python.WriteLine("");
  ExpectExact(python);
}

TEST_F(StartTest, WhenItsExecutableWasDeleted) {
  const Python& debian = PythonNamed("debian");
  auto copy = std::make_unique<StrippedPython>(debian);
  const auto python = copy->Start(kKeepsItsCounts);
  const std::vector<double> counts = Numbers(python->ReadLine());
  copy.reset();
  EXPECT_THAT(
      fs::read_symlink(absl::StrCat("/proc/", python->pid(), "/exe")).string(),
      HasSubstr("(deleted)"));
  ExpectCounts(python->pid(), counts);
}

// An upgrade on disk: another version's file is at the path, for the running
// process to be mistaken for.
TEST_F(StartTest, WhenItsLibraryWasReplaced) {
  SKIP_WITHOUT("3.9");
  SKIP_WITHOUT("3.12");
  const StrippedPython copy(PythonNamed("3.9"));
  const auto python = copy.Start(kKeepsItsCounts);
  const std::vector<double> counts = Numbers(python->ReadLine());
  const fs::path library = LibraryOf(PythonNamed("3.9")).c_str();
  const fs::path copied = fs::path(copy.folder()) / library.filename();
  const fs::path newer = LibraryOf(PythonNamed("3.12"));
  fs::copy_file(newer, copied.string() + ".new");
  fs::rename(copied.string() + ".new", copied);
  ExpectCounts(python->pid(), counts);
  EXPECT_TRUE(absl::StartsWith(version_, "3.9.")) << version_;
}

// As PyInstaller's programs do.
TEST_F(StartTest, AsAFrozenProgramThatUnpacksItsLibrary) {
  SKIP_WITHOUT("3.11");
  const Python& python = PythonNamed("3.11");
  const std::string library = directory_.File("_MEI_x");
  fs::copy_file(LibraryOf(python), library);
  const auto program = StartEmbedding({library}, {HomeOf(python)});
  program->Ask("load 0");
  fs::remove(library);
  program->Ask("initialise 0");
  program->WriteLine("run 0");
  ExpectExact(*program);
}

TEST_F(StartTest, WithSeveralCopiesOfWhichOneIsInitialised) {
  SKIP_WITHOUT("3.8");
  SKIP_WITHOUT("3.11");
  SKIP_WITHOUT("3.12");
  for (const int initialised : {0, 1, 2}) {
    const Python& python = PythonNamed(
        std::vector<std::string>{"3.8", "3.11", "3.12"}[initialised]);
    const auto program = StartEmbedding(
        {LibraryOf(PythonNamed("3.8")), LibraryOf(PythonNamed("3.11")),
         LibraryOf(PythonNamed("3.12"))},
        {HomeOf(python)});
    for (int i = 0; i < 3; ++i) program->Ask(absl::StrCat("load ", i));
    program->Ask(absl::StrCat("initialise ", initialised));
    program->WriteLine(absl::StrCat("run ", initialised));
    ExpectExact(*program);
    EXPECT_TRUE(absl::StartsWith(version_, python.name)) << version_;
  }
}

// One library after the other, from nothing to the end of its interpreter.
class EmbeddedTest : public StartTest,
                     public ::testing::WithParamInterface<Python> {
 protected:
  void SetUp() override {
    if (LibraryOf(GetParam()).empty()) {
      GTEST_SKIP() << "no libpython " << GetParam().name << " on this machine";
    }
  }
};

TEST_P(EmbeddedTest, IsNoticedWhenLoadedLateAndWhenInitialisedAndFinalised) {
  const auto program =
      StartEmbedding({LibraryOf(GetParam())}, {HomeOf(GetParam())});
  absl::StatusOr<Process> process = Process::Open(procfs_, program->pid());
  ASSERT_TRUE(process.ok()) << process.status();
  const auto read = [&] {
    const absl::StatusOr<Reading> reading = process->Read(sources_);
    EXPECT_TRUE(reading.ok() || absl::IsFailedPrecondition(reading.status()))
        << reading.status();
    return reading.ok() ? reading->gc_counts : std::nullopt;
  };
  for (int i = 0; i < 100; ++i) {
    ASSERT_FALSE(read());
    ASSERT_TRUE(absl::IsFailedPrecondition(process->collector_status()));
  }
  program->Ask("load 0");
  constexpr int kAFewRuns = 4;
  for (int i = 0; i < kAFewRuns; ++i) ASSERT_FALSE(read());
  EXPECT_TRUE(absl::IsUnavailable(process->collector_status()))
      << process->collector_status();

  program->Ask("initialise 0");
  program->WriteLine("run 0");
  const std::vector<double> reported = Numbers(program->ReadLine());
  std::optional<GcCounts> counts;
  for (int i = 0; i < kAFewRuns && !counts; ++i) counts = read();
  ASSERT_TRUE(counts) << process->collector_status();
  EXPECT_THAT(*counts, ElementsAreArray(reported));

  program->Ask("");
  program->WriteLine("");  // the script ends
  program->Ask("finalise 0");
  for (int i = 0; i < 50; ++i) {
    ASSERT_FALSE(read());
    ASSERT_TRUE(absl::IsUnavailable(process->collector_status()))
        << process->collector_status();
  }
}

INSTANTIATE_TEST_SUITE_P(
    , EmbeddedTest, ::testing::ValuesIn(LocalPythons()),
    [](const auto& python) {
      return absl::StrReplaceAll(python.param.name, {{".", "_"}});
    });

// The archive to link a program with; empty where there is none.
std::string ArchiveOf(const Python& python) {
  if (python.executable.empty() || !python.root.empty()) return "";
  const std::string prefix =
      fs::path(python.executable).parent_path().parent_path();
  const std::vector<std::string> found =
      LinesOf(absl::StrCat("ls ", prefix, "/lib/python*/config*/libpython*.a ",
                           "2>/dev/null | grep -v -e nopie -e _pic"));
  return found.empty() ? "" : found.front();
}

// (Not 2.7, whose modules load a libpython of their own.)
class StaticTest : public StartTest,
                   public ::testing::WithParamInterface<Python> {};

TEST_P(StaticTest, IsFoundInAProgramThatExportsNothing) {
  const std::string archive = ArchiveOf(GetParam());
  if (archive.empty()) {
    GTEST_SKIP() << "no archive of Python " << GetParam().name
                 << " on this machine";
  }
  const std::string program = directory_.File("server");
  const std::string compile =
      absl::StrCat("cc -w -o ", program, " ", EMBED_STATIC, " ", archive,
                   " -lm -ldl -lutil -lpthread -lz -lexpat");
  // Debian 13's serves programs only that are not moved, and lacks the hashes
  // of a module that is not used here.
  const std::string fallback = absl::StrCat(
      compile, " -no-pie -Wl,--unresolved-symbols=ignore-in-object-files");
  ASSERT_EQ(RunCommand(absl::StrCat("(", compile, " || ", fallback,
                                    ") 2>&1 && strip --strip-all ", program))
                .exit_code,
            0);
  ASSERT_EQ(RunCommand("nm -D --defined-only " + program +
                       " 2>/dev/null | grep -c Py")
                .output,
            "0\n");
  // The second time, by what was learned the first time. What it sets itself is
  // where the program keeps its environment, which is not in the C library.
  const std::string script = absl::StrCat(
      "import os\nos.environ['DD_ENV'] = 'mine'\n", kKeepsItsCounts);
  for (int i = 0; i < 2; ++i) {
    ExpectExact(*Start({program, script}, {HomeOf(GetParam())}));
    EXPECT_FALSE(version_.empty());
    EXPECT_THAT(environment_,
                testing::ElementsAre(testing::Pair("DD_ENV", "mine")));
  }
}

INSTANTIATE_TEST_SUITE_P(
    , StaticTest, ::testing::ValuesIn(ModernPythons()), [](const auto& python) {
      return absl::StrReplaceAll(python.param.name, {{".", "_"}});
    });

// Makes two interpreters beside the main one, as its version can, and asks in
// the main one.
constexpr char kMakesInterpreters[] = R"(
import os
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
made = [interpreters.create() for _ in range(2)]
for each in made:
    interpreters.run_string(each, "kept = [[] for _ in range(2000)]")
)";

class SubinterpreterTest : public StartTest,
                           public ::testing::WithParamInterface<Python> {};

TEST_P(SubinterpreterTest, HasTheMainInterpretersCounts) {
  if (GetParam().executable.empty()) {
    GTEST_SKIP() << "no Python " << GetParam().name << " on this machine";
  }
  PythonProcess python(GetParam(),
                       absl::StrCat(kMakesInterpreters, kKeepsItsCounts));
  ExpectExact(python);
}

std::vector<Python> PythonsWithSubinterpreters() {
  std::vector<Python> pythons;
  for (const Python& python : Pythons()) {
    if (!absl::StrContains(python.name, "2.7") && python.name != "3.6" &&
        python.name != "3.7") {
      pythons.push_back(python);
    }
  }
  return pythons;
}

INSTANTIATE_TEST_SUITE_P(
    , SubinterpreterTest, ::testing::ValuesIn(PythonsWithSubinterpreters()),
    [](const auto& python) {
      return absl::StrReplaceAll(python.param.name, {{".", "_"}, {"-", "_"}});
    });

// PyPy keeps no such counts, and that is nothing to complain of.
TEST_F(StartTest, PyPyIsKnownAndHasNoCounts) {
  if (!fs::exists("/usr/bin/pypy3")) GTEST_SKIP() << "no PyPy on this machine";
  PythonProcess python("/usr/bin/pypy3", kWaits);
  python.ReadLine();
  absl::StatusOr<Process> process = Process::Open(procfs_, python.pid());
  ASSERT_TRUE(process.ok()) << process.status();
  const absl::StatusOr<Reading> reading = process->Read(sources_);
  ASSERT_TRUE(reading.ok()) << reading.status();
  EXPECT_FALSE(reading->gc_counts);
  EXPECT_TRUE(process->collector_status().ok()) << process->collector_status();
  ASSERT_TRUE(process->interpreter());
  EXPECT_EQ(process->interpreter()->implementation(), "PyPy");
}

}  // namespace
}  // namespace pycheck

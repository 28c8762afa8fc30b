#include "lib/cpython/interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "lib/base/file.h"
#include "lib/procfs/mem.h"
#include "tests/testing/python_process.h"

namespace pycheck {
namespace {

using ::testing::ElementsAreArray;

std::vector<MappedImage> Images(pid_t pid) {
  const absl::StatusOr<UniqueFd> maps =
      OpenFile(absl::StrCat("/proc/", pid, "/maps"));
  return *ReadMappedImages(maps->get());
}

ProcessMemory MemoryOf(pid_t pid) {
  return ProcessMemory(*OpenFile(absl::StrCat("/proc/", pid, "/mem")));
}

std::vector<double> AsNumbers(const GcCounts& counts) {
  return {counts.begin(), counts.end()};
}

class InterpreterTest : public ::testing::TestWithParam<Python> {
 protected:
  void SetUp() override {
    if (GetParam().executable.empty()) {
      GTEST_SKIP() << "no Python " << GetParam().name << " on this machine";
    }
  }
};

// Printing the counts allocates; from the second time on, out of a free list.
constexpr char kReportsItsCounts[] = R"(
import gc, os
gc.disable()
gc.collect(0); gc.collect(0); gc.collect(1)
kept = [[] for _ in range(500)]
last = None
while True:
    line = b"%d %d %d\n" % gc.get_count()
    if line == last:
        break
    last = line
os.write(1, line)
os.read(0, 1)
os.write(1, b"%d %d %d\n" % gc.get_count())
os.read(0, 1)
)";

TEST_P(InterpreterTest, ReadsWhatGetCountReturns) {
  PythonProcess process(GetParam().executable, kReportsItsCounts);
  const std::vector<double> before = Numbers(process.ReadLine());
  const ProcessMemory memory = MemoryOf(process.pid());
  const absl::StatusOr<Interpreter> interpreter =
      Interpreter::Find(memory, Images(process.pid()));
  ASSERT_TRUE(interpreter.ok()) << interpreter.status();

  const absl::StatusOr<GcCounts> counts = interpreter->ReadCounts(memory);
  ASSERT_TRUE(counts.ok()) << counts.status();
  const std::vector<double> after = Numbers(process.Ask(""));
  EXPECT_THAT(AsNumbers(*counts), ElementsAreArray(before));
  EXPECT_THAT(AsNumbers(*counts), ElementsAreArray(after));
  EXPECT_GE(before[0], 300) << "the counts are not what the script made them";
}

// Does nothing but allocate and collect, so that at every moment generation 1
// has seen 0 to 7 collections of the one below it, and generation 2 0 to 5.
constexpr char kCollectsForEver[] = R"(
import gc, os
gc.disable()
gc.collect()
os.write(1, b"\n")
while True:
    for _ in range(5):
        for _ in range(7):
            kept = [[] for _ in range(100)]
            del kept
            gc.collect(0)
        gc.collect(1)
    gc.collect(2)
)";

TEST_P(InterpreterTest, IsNeverWrongWhileTheProcessCollects) {
  constexpr int kReadings = 1000;
  constexpr useconds_t kPause = 2'000;
  PythonProcess process(GetParam().executable, kCollectsForEver);
  process.ReadLine();
  const ProcessMemory memory = MemoryOf(process.pid());
  const absl::StatusOr<Interpreter> interpreter =
      Interpreter::Find(memory, Images(process.pid()));
  ASSERT_TRUE(interpreter.ok()) << interpreter.status();

  std::set<int32_t> seen[kGenerations];
  for (int i = 0; i < kReadings; ++i) {
    const absl::StatusOr<GcCounts> counts = interpreter->ReadCounts(memory);
    ASSERT_TRUE(counts.ok()) << counts.status();
    for (int generation = 0; generation < kGenerations; ++generation) {
      seen[generation].insert((*counts)[static_cast<size_t>(generation)]);
    }
    if (i % 10 == 0) {
      const absl::StatusOr<Interpreter> again =
          Interpreter::Find(memory, Images(process.pid()));
      EXPECT_TRUE(again.ok()) << again.status();
    }
    usleep(kPause);
  }
  EXPECT_LE(*seen[0].rbegin(), 130);
  EXPECT_GT(*seen[0].rbegin(), 50);
  EXPECT_LE(*seen[1].rbegin(), 7);
  EXPECT_LE(*seen[2].rbegin(), 5);
  EXPECT_EQ(*seen[0].begin(), 0);
  EXPECT_GT(seen[1].size(), 3U) << "the counts did not move";
  EXPECT_GT(seen[2].size(), 2U) << "the counts did not move";
}

// A process that has only just begun has no interpreter yet; at no moment of
// its start may anything but the truth be read.
TEST_P(InterpreterTest, FindsItOrSaysWhyNotThroughoutTheStart) {
  PythonProcess process(GetParam().executable, kReportsItsCounts);
  const ProcessMemory first_memory = MemoryOf(process.pid());
  absl::StatusOr<Interpreter> interpreter = absl::UnknownError("");
  int failures = 0;
  while (!interpreter.ok()) {
    const ProcessMemory memory = MemoryOf(process.pid());
    interpreter = Interpreter::Find(memory, Images(process.pid()));
    if (interpreter.ok()) break;
    ASSERT_TRUE(absl::IsFailedPrecondition(interpreter.status()) ||
                absl::IsUnavailable(interpreter.status()) ||
                absl::IsNotFound(interpreter.status()))
        << interpreter.status();
    ASSERT_LT(++failures, 1'000'000);
  }
  const std::vector<double> reported = Numbers(process.ReadLine());
  const ProcessMemory memory = MemoryOf(process.pid());
  EXPECT_THAT(AsNumbers(*interpreter->ReadCounts(memory)),
              ElementsAreArray(reported));
}

// After its end a C function waits, as in a program that embeds Python.
constexpr char kFinalises[] = R"(
import ctypes, os
libc = ctypes.CDLL(None)
libc.__cxa_atexit(libc.pause, None, None)
os.write(1, b"\n")
os.read(0, 1)
)";

TEST_P(InterpreterTest, HasNoCountsWhenTheInterpreterWasFinalised) {
  PythonProcess process(GetParam().executable, kFinalises);
  process.ReadLine();
  const ProcessMemory memory = MemoryOf(process.pid());
  const absl::StatusOr<Interpreter> interpreter =
      Interpreter::Find(memory, Images(process.pid()));
  ASSERT_TRUE(interpreter.ok()) << interpreter.status();
  ASSERT_TRUE(interpreter->ReadCounts(memory).ok());
  process.WriteLine("");
  const std::string syscall = absl::StrCat("/proc/", process.pid(), "/syscall");
  const std::string pause = absl::StrCat(SYS_pause, " ");
  while (ReadWholeFile(syscall, 4096)->rfind(pause, 0) != 0) sched_yield();

  EXPECT_TRUE(absl::IsUnavailable(interpreter->ReadCounts(memory).status()));
  EXPECT_TRUE(absl::IsUnavailable(
      Interpreter::Find(memory, Images(process.pid())).status()));
}

INSTANTIATE_TEST_SUITE_P(
    , InterpreterTest, ::testing::ValuesIn(Pythons()), [](const auto& python) {
      return absl::StrReplaceAll(python.param.name, {{".", "_"}});
    });

TEST(Interpreter, SaysThatAProcessHoldsNoPython) {
  const ProcessMemory memory = MemoryOf(getpid());
  EXPECT_TRUE(absl::IsFailedPrecondition(
      Interpreter::Find(memory, Images(getpid())).status()));
}

TEST(Interpreter, SaysThatTheAddressSpaceHasGone) {
  PythonProcess process(AnyPython().executable, kReportsItsCounts);
  process.ReadLine();
  const ProcessMemory memory = MemoryOf(process.pid());
  const std::vector<MappedImage> images = Images(process.pid());
  const absl::StatusOr<Interpreter> interpreter =
      Interpreter::Find(memory, images);
  ASSERT_TRUE(interpreter.ok()) << interpreter.status();
  process.Kill();
  EXPECT_TRUE(absl::IsNotFound(interpreter->ReadCounts(memory).status()));
  EXPECT_TRUE(absl::IsNotFound(Interpreter::Find(memory, images).status()));
}

}  // namespace
}  // namespace pycheck

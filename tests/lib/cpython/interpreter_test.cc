#include "lib/cpython/interpreter.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/cpython/layout.h"
#include "lib/elf/image.h"
#include "lib/elf/symbols.h"
#include "tests/testing/process_memory.h"
#include "tests/testing/python_process.h"

namespace pycheck {
namespace {

using ::testing::ElementsAreArray;

std::vector<double> AsNumbers(const GcCounts& counts) {
  return {counts.begin(), counts.end()};
}

bool IsFreeThreaded(const Python& python) {
  return absl::EndsWith(python.name, "t") || absl::EndsWith(python.name, "td");
}

// 3.14.0 to 3.14.4
bool IsIncremental(const Python& python) { return python.name == "sid-3.14.4"; }

// The counts of others follow another rule.
std::vector<Python> GenerationalPythons() {
  std::vector<Python> pythons = Pythons();
  pythons.erase(std::remove_if(pythons.begin(), pythons.end(), IsIncremental),
                pythons.end());
  return pythons;
}

std::string NameOf(const ::testing::TestParamInfo<Python>& python) {
  return absl::StrReplaceAll(python.param.name, {{".", "_"}, {"-", "_"}});
}

class InterpreterTest : public ::testing::TestWithParam<Python> {
 protected:
  void SetUp() override {
    if (GetParam().executable.empty()) {
      GTEST_SKIP() << "no Python " << GetParam().name << " on this machine";
    }
  }

  Binaries binaries_;
};

TEST_P(InterpreterTest, ReadsWhatGetCountReturns) {
  PythonProcess process(GetParam(), kKeepsItsCounts);
  const std::vector<double> before = Numbers(process.ReadLine());
  const ProcessMemory memory = MemoryOf(process.pid());
  const absl::StatusOr<Interpreter> interpreter =
      Interpreter::Find(memory, Images(process.pid()), binaries_);
  ASSERT_TRUE(interpreter.ok()) << interpreter.status();

  const absl::StatusOr<GcCounts> counts = interpreter->ReadCounts(memory);
  ASSERT_TRUE(counts.ok()) << counts.status();
  const std::vector<double> after = Numbers(process.Ask(""));
  EXPECT_THAT(AsNumbers(*counts), ElementsAreArray(before));
  EXPECT_THAT(AsNumbers(*counts), ElementsAreArray(after));
  EXPECT_GE(before[0], 300) << "the counts are not what the script made them";
}

// Does nothing but allocate and collect, and does less of each the further the
// next older generation has come: at every moment generation 1 has seen at
// most 7 - g2 collections, and generation 0 at most 20 * (8 - g1) objects and a
// few of the loop's own. A count from before a collection beside an older one
// from after it breaks that.
constexpr char kCollectsForEver[] = R"(
import gc, os
class Object(object): pass
gc.disable()
gc.collect()
os.write(1, b"\n")
while True:
    for m in range(5):
        for k in range(7 - m):
            kept = [Object() for _ in range(20 * (8 - k))]
            gc.collect(0)
            kept = None
        gc.collect(1)
    gc.collect(2)
)";

class CollectingInterpreterTest : public InterpreterTest {};

constexpr int32_t kOfTheLoop = 15;

bool IsPossible(const GcCounts& counts) {
  const auto [young, middle, old] = counts;
  return old <= 5 && middle <= 7 - old && young >= 0 &&
         young <= 20 * (8 - middle) + kOfTheLoop;
}

// In which a collection has added one to the older count, and has not yet set
// its own to 0: what a process is in that lost the processor just there.
bool IsBeginningToCollect(const GcCounts& counts) {
  const auto [young, middle, old] = counts;
  return IsPossible({young, middle - 1, old}) ||
         IsPossible({young, middle, old - 1});
}

// Counts the reads.
class CountingMemory : public Memory {
 public:
  explicit CountingMemory(const Memory& memory) : memory_(memory) {}
  absl::Status Read(uint64_t address, absl::Span<char> out) const override {
    ++reads_;
    return memory_.Read(address, out);
  }
  int reads() const { return reads_; }

 private:
  const Memory& memory_;
  mutable int reads_ = 0;
};

TEST_P(CollectingInterpreterTest, IsNeverWrong) {
  constexpr int kReadings = 10'000;
  constexpr useconds_t kPause = 100;
  // Different counts of each generation.
  constexpr size_t kYoungSeen = 100;
  constexpr size_t kMiddleSeen = 8;
  constexpr size_t kOldSeen = 5;
  PythonProcess process(GetParam(), kCollectsForEver);
  process.ReadLine();
  const ProcessMemory memory = MemoryOf(process.pid());
  const CountingMemory counting(memory);
  absl::StatusOr<Interpreter> interpreter =
      Interpreter::Find(memory, Images(process.pid()), binaries_);
  ASSERT_TRUE(interpreter.ok()) << interpreter.status();

  std::set<int32_t> seen[kGenerations];
  int beginnings = 0;
  int readings = 0;
  const auto has_seen_all = [&] {
    return seen[0].size() > kYoungSeen && seen[1].size() >= kMiddleSeen &&
           seen[2].size() >= kOldSeen;
  };
  // On a machine that has other work, or is emulated, it takes more of them to
  // see as much.
  for (; readings < kReadings || (!has_seen_all() && readings < 10 * kReadings);
       ++readings) {
    const absl::StatusOr<GcCounts> counts = interpreter->ReadCounts(counting);
    ASSERT_TRUE(counts.ok()) << counts.status();
    GcCounts checked = *counts;
    if (IsFreeThreaded(GetParam())) {
      // A thread keeps what it has counted when a collection sets the young
      // count to 0.
      ASSERT_LE(std::abs(checked[0]), 512 + 160 + kOfTheLoop);
      checked[0] = 0;
    }
    if (!IsPossible(checked)) {
      ++beginnings;
      ASSERT_TRUE(IsBeginningToCollect(checked)) << absl::StrJoin(checked, " ");
    }
    for (size_t generation = 0; generation < counts->size(); ++generation) {
      seen[generation].insert((*counts)[generation]);
    }
    if (readings % 100 == 0) {
      interpreter = Interpreter::Find(memory, Images(process.pid()), binaries_);
      ASSERT_TRUE(interpreter.ok()) << interpreter.status();
    }
    usleep(kPause);
  }
  EXPECT_GT(seen[0].size(), kYoungSeen) << "the counts did not move";
  EXPECT_EQ(seen[1].size(), kMiddleSeen) << "the counts did not move";
  EXPECT_GE(seen[2].size(), kOldSeen) << "the counts did not move";
  EXPECT_LE(beginnings, readings / 1000);
  if (!IsFreeThreaded(GetParam())) {
    const int retries = counting.reads() - 3 * readings;
    RecordProperty("retries", retries);
    std::printf("%d retries in %d readings, %d in a collection's first step\n",
                retries, readings, beginnings);
  }
}

// Reports its counts as kKeepsItsCounts does, but holds no object of its own.
constexpr char kKeepsNothing[] = R"(
gc.disable()
last = None
while True:
    line = b"%d %d %d\n" % gc.get_count()
    if line == last:
        break
    last = line
os.write(1, line)
os.read(0, 1)
)";

// As a pre-forking server does before it forks: all objects go to the permanent
// generation, and nothing is left in the three.
constexpr char kFreezes[] = R"(
import gc, os
if hasattr(gc, "freeze"):
    gc.collect()
    gc.freeze()
)";

TEST_P(InterpreterTest, HasCountsWhenAllObjectsAreFrozen) {
  PythonProcess process(GetParam(), absl::StrCat(kFreezes, kKeepsNothing));
  const std::vector<double> reported = Numbers(process.ReadLine());
  const ProcessMemory memory = MemoryOf(process.pid());
  const absl::StatusOr<Interpreter> interpreter =
      Interpreter::Find(memory, Images(process.pid()), binaries_);
  ASSERT_TRUE(interpreter.ok()) << interpreter.status();
  const absl::StatusOr<GcCounts> counts = interpreter->ReadCounts(memory);
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_THAT(AsNumbers(*counts), ElementsAreArray(reported));
}

// The young list holds one object that comes and goes, so that both its ends
// are loose most of the time.
constexpr char kOneYoungObject[] = R"(
import gc, os
gc.disable()
gc.collect()
for _ in range(5):
    gc.collect(0)
os.write(1, b"\n")
while True:
    []
)";

TEST_P(CollectingInterpreterTest, IsFoundInTheSamePlaceEachTime) {
  PythonProcess process(GetParam(), kOneYoungObject);
  process.ReadLine();
  const ProcessMemory memory = MemoryOf(process.pid());
  const std::vector<MappedImage> images = Images(process.pid());
  int found = 0;
  for (int i = 0; i < 300; ++i) {
    Binaries binaries;  // nothing is known yet
    const absl::StatusOr<Interpreter> interpreter =
        Interpreter::Find(memory, images, binaries);
    if (!interpreter.ok()) continue;
    const absl::StatusOr<GcCounts> counts = interpreter->ReadCounts(memory);
    if (!counts.ok()) continue;
    ++found;
    ASSERT_EQ((*counts)[1], 5) << absl::StrJoin(*counts, " ");
    ASSERT_EQ((*counts)[2], 0) << absl::StrJoin(*counts, " ");
  }
  EXPECT_GT(found, 200);
}

// A process that has only just begun has no interpreter yet; at no moment of
// its start may anything but the truth be read.
TEST_P(InterpreterTest, FindsItOrSaysWhyNotThroughoutTheStart) {
  PythonProcess process(GetParam(), kKeepsItsCounts);
  const ProcessMemory first_memory = MemoryOf(process.pid());
  absl::StatusOr<Interpreter> interpreter = absl::UnknownError("");
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (!interpreter.ok()) {
    const ProcessMemory memory = MemoryOf(process.pid());
    interpreter = Interpreter::Find(memory, Images(process.pid()), binaries_);
    if (interpreter.ok()) break;
    ASSERT_TRUE(absl::IsFailedPrecondition(interpreter.status()) ||
                absl::IsUnavailable(interpreter.status()) ||
                absl::IsNotFound(interpreter.status()))
        << interpreter.status();
    ASSERT_LT(absl::Now(), deadline) << interpreter.status();
  }
  const std::vector<double> reported = Numbers(process.ReadLine());
  const ProcessMemory memory = MemoryOf(process.pid());
  EXPECT_THAT(AsNumbers(*interpreter->ReadCounts(memory)),
              ElementsAreArray(reported));
}

// After its end a C function stops it, as a program that embeds Python goes on.
constexpr char kFinalises[] = R"(
import ctypes, os, signal
libc = ctypes.CDLL(None)
libc.__cxa_atexit(getattr(libc, "raise"), int(signal.SIGSTOP), None)
os.write(1, b"\n")
os.read(0, 1)
)";

TEST_P(InterpreterTest, HasNoCountsWhenTheInterpreterWasFinalised) {
  PythonProcess process(GetParam(), kFinalises);
  process.ReadLine();
  const ProcessMemory memory = MemoryOf(process.pid());
  const absl::StatusOr<Interpreter> interpreter =
      Interpreter::Find(memory, Images(process.pid()), binaries_);
  ASSERT_TRUE(interpreter.ok()) << interpreter.status();
  ASSERT_TRUE(interpreter->ReadCounts(memory).ok());
  process.WriteLine("");
  siginfo_t stopped;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(process.pid()), &stopped,
                   WSTOPPED | WNOWAIT),
            0);

  EXPECT_TRUE(absl::IsUnavailable(interpreter->ReadCounts(memory).status()));
  EXPECT_TRUE(absl::IsUnavailable(
      Interpreter::Find(memory, Images(process.pid()), binaries_).status()));
}

INSTANTIATE_TEST_SUITE_P(, InterpreterTest, ::testing::ValuesIn(Pythons()),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(, CollectingInterpreterTest,
                         ::testing::ValuesIn(GenerationalPythons()), NameOf);

// What a process's image says of itself, changed in its memory.
class MisleadingImageTest : public InterpreterTest {
 protected:
  void SetUp() override {
    InterpreterTest::SetUp();
    if (IsSkipped()) return;
    process_.emplace(GetParam(), kKeepsItsCounts);
    reported_ = Numbers(process_->ReadLine());
    file_ =
        UniqueFd(open(absl::StrCat("/proc/", process_->pid(), "/mem").c_str(),
                      O_RDWR | O_CLOEXEC));
    const ProcessMemory memory = MemoryOf(process_->pid());
    for (const MappedImage& mapped : Images(process_->pid())) {
      const auto image = Image::Read(memory, mapped.base);
      if (!image.ok()) continue;
      const auto symbols = ExportedSymbols::Read(memory, *image);
      if (!symbols.ok()) continue;
      const auto runtime = symbols->Find(memory, "_PyRuntime");
      if (!runtime.ok()) continue;
      runtime_ = runtime->address;
      const auto version = symbols->Find(memory, "Py_Version");
      if (version.ok()) version_ = version->address;
    }
    ASSERT_NE(runtime_, 0U);
  }

  void Put(uint64_t address, uint64_t value) {
    ASSERT_EQ(
        pwrite(file_.get(), &value, sizeof(value), static_cast<off_t>(address)),
        static_cast<ssize_t>(sizeof(value)));
  }
  uint64_t Get(uint64_t address) {
    return *MemoryOf(process_->pid()).Read<uint64_t>(address);
  }

  // Whether it is a CPython 3.13 or later, which says where its counts are.
  bool HasDebugOffsets() { return Get(version_) >> 16 >= 0x030d; }

  // The counts as they are, found by nothing that was known before.
  void ExpectExact(Discovery discovery) {
    const ProcessMemory memory = MemoryOf(process_->pid());
    Binaries binaries;
    const absl::StatusOr<Interpreter> interpreter =
        Interpreter::Find(memory, Images(process_->pid()), binaries);
    ASSERT_TRUE(interpreter.ok()) << interpreter.status();
    EXPECT_EQ(interpreter->discovery(), discovery);
    EXPECT_THAT(AsNumbers(*interpreter->ReadCounts(memory)),
                ElementsAreArray(reported_));
  }

  std::optional<PythonProcess> process_;
  std::vector<double> reported_;
  UniqueFd file_;
  uint64_t runtime_ = 0;
  uint64_t version_ = 0;
};

std::vector<Python> PythonsNamed(const std::vector<std::string>& names) {
  std::vector<Python> pythons;
  for (const std::string& name : names) pythons.push_back(PythonNamed(name));
  return pythons;
}

// Those that are found by a layout that their version number chooses.
class ByLayoutTest : public MisleadingImageTest {
 protected:
  void SetUp() override {
    MisleadingImageTest::SetUp();
    if (!IsSkipped() && HasDebugOffsets()) {
      GTEST_SKIP() << "this Python says its own layout";
    }
  }
};

TEST_P(ByLayoutTest, AWrongLayoutIsNotBelieved) {
  ExpectExact(Discovery::kLayout);
  for (const Layout& layout : KnownLayouts()) {
    const uint64_t own = Get(version_);
    if (own >> 16 == uint64_t{layout.major} * 256 + layout.minor) continue;
    Put(version_, uint64_t{layout.major} << 24 | uint64_t{layout.minor} << 16);
    ExpectExact(Discovery::kStructure);
    Put(version_, own);
  }
}

TEST_P(ByLayoutTest, AnUnknownVersionIsFoundAllTheSame) {
  Put(version_, 0x036300f0);  // 3.99.0
  ExpectExact(Discovery::kStructure);
}

INSTANTIATE_TEST_SUITE_P(
    , ByLayoutTest,
    ::testing::ValuesIn(PythonsNamed({"3.11", "3.12", "debian"})), NameOf);

class ByDebugOffsetsTest : public MisleadingImageTest {
 protected:
  void SetUp() override {
    MisleadingImageTest::SetUp();
    if (!IsSkipped() && !HasDebugOffsets()) {
      GTEST_SKIP() << "this Python does not say its own layout";
    }
  }
};

TEST_P(ByDebugOffsetsTest, AnUnknownVersionIsFoundAllTheSame) {
  ExpectExact(Discovery::kDebugOffsets);
  const bool is_3_13 = Get(version_) >> 16 == 0x030d;
  Put(version_, 0x036300f0);
  Put(runtime_ + 8, 0x036300f0);
  // What is at the same place since 3.14 serves a later one too.
  ExpectExact(is_3_13 ? Discovery::kStructure : Discovery::kDebugOffsets);
}

TEST_P(ByDebugOffsetsTest, WithoutThemTheStructureIsFound) {
  Put(runtime_, 0);
  ExpectExact(Discovery::kStructure);
}

TEST_P(ByDebugOffsetsTest, NoneOfThemIsBelieved) {
  constexpr uint64_t kFirstOffset = 24;  // behind cookie, version, threading
  constexpr uint64_t kLastOffset = 96;
  for (uint64_t at = kFirstOffset; at < kLastOffset; at += 8) {
    const uint64_t own = Get(runtime_ + at);
    for (const uint64_t wrong :
         {uint64_t{0}, uint64_t{8}, own + 4, own + 8, own - 8, own + 4096,
          uint64_t{1} << 20, uint64_t{1} << 40, ~uint64_t{0}, ~uint64_t{7},
          uint64_t{1} << 63}) {
      Put(runtime_ + at, wrong);
      const ProcessMemory memory = MemoryOf(process_->pid());
      Binaries binaries;
      const absl::StatusOr<Interpreter> interpreter =
          Interpreter::Find(memory, Images(process_->pid()), binaries);
      ASSERT_TRUE(interpreter.ok()) << interpreter.status() << " " << at;
      ASSERT_THAT(AsNumbers(*interpreter->ReadCounts(memory)),
                  ElementsAreArray(reported_))
          << at << " " << wrong;
    }
    Put(runtime_ + at, own);
  }
}

INSTANTIATE_TEST_SUITE_P(
    , ByDebugOffsetsTest,
    ::testing::ValuesIn(PythonsNamed({"3.13", "debian", "trixie-3.13",
                                      "sid-3.14.4", "sid-3.14", "sid-3.15"})),
    NameOf);

// No lists prove a free-threaded collector: what is not known is left out.
class FreeThreadedTest : public MisleadingImageTest {};

TEST_P(FreeThreadedTest, AnUnknownVersionHasNoCountsAndSaysSo) {
  ExpectExact(Discovery::kDebugOffsets);
  Put(version_, 0x036300f0);
  Put(runtime_ + 8, 0x036300f0);
  const ProcessMemory memory = MemoryOf(process_->pid());
  const absl::StatusOr<Interpreter> interpreter =
      Interpreter::Find(memory, Images(process_->pid()), binaries_);
  ASSERT_TRUE(interpreter.ok()) << interpreter.status();
  EXPECT_EQ(interpreter->implementation(), "CPython");
  EXPECT_FALSE(interpreter->version().empty());
  const absl::Status status = interpreter->ReadCounts(memory).status();
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              ::testing::HasSubstr("a free-threaded CPython 3.99.0"));
}

TEST_P(FreeThreadedTest, AnotherVersionIsNotTakenForIt) {
  Put(runtime_ + 8, GetParam().name == "3.15t" ? 0x030d00f0 : 0x030f00f0);
  const ProcessMemory memory = MemoryOf(process_->pid());
  const absl::StatusOr<Interpreter> interpreter =
      Interpreter::Find(memory, Images(process_->pid()), binaries_);
  EXPECT_TRUE(absl::IsUnavailable(interpreter.status()))
      << interpreter.status();
}

INSTANTIATE_TEST_SUITE_P(
    , FreeThreadedTest,
    ::testing::ValuesIn(PythonsNamed({"3.13t", "3.14t", "3.14.4t", "3.15t"})),
    NameOf);

TEST(Interpreter, SaysThatAProcessHoldsNoPython) {
  const ProcessMemory memory = MemoryOf(getpid());
  Binaries binaries;
  EXPECT_TRUE(absl::IsFailedPrecondition(
      Interpreter::Find(memory, Images(getpid()), binaries).status()));
}

// A compiler, say, whose data is full of what may point to an interpreter.
TEST(Interpreter, SaysSoOfAProgramThatCannotBeSearchedThrough) {
  struct LooksLikeInterpreters {
    const void* head;
    const void* main;
    uint64_t next_id;
  };
  static std::array<LooksLikeInterpreters, 20'000> data;
  for (LooksLikeInterpreters& each : data) each = {&each, &each, 1};
  const ProcessMemory memory = MemoryOf(getpid());
  Binaries binaries;
  const absl::Status status =
      Interpreter::Find(memory, Images(getpid()), binaries).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST(Interpreter, SaysThatTheAddressSpaceHasGone) {
  PythonProcess process(AnyPython().executable, kKeepsItsCounts);
  process.ReadLine();
  const ProcessMemory memory = MemoryOf(process.pid());
  const std::vector<MappedImage> images = Images(process.pid());
  Binaries binaries;
  const absl::StatusOr<Interpreter> interpreter =
      Interpreter::Find(memory, images, binaries);
  ASSERT_TRUE(interpreter.ok()) << interpreter.status();
  process.Kill();
  EXPECT_TRUE(absl::IsNotFound(interpreter->ReadCounts(memory).status()));
  EXPECT_TRUE(
      absl::IsNotFound(Interpreter::Find(memory, images, binaries).status()));
}

}  // namespace
}  // namespace pycheck

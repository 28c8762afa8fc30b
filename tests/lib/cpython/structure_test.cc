#include "lib/cpython/structure.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "lib/base/budgeted_memory.h"
#include "lib/cpython/debug_offsets.h"
#include "tests/testing/fake_memory.h"
#include "tests/testing/loaded_image.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/synthetic_collector.h"
#include "tests/testing/synthetic_image.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::AnyOf;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;

constexpr uint64_t kHeap = 0x7f1000010000;
constexpr uint64_t kHeapSize = 0x10000;

// The image's data, half of which its file gives.
constexpr uint64_t kDataInFile = 0x8000;
constexpr uint64_t kDataSize = 0x10000;

constexpr GcCounts kCounts = {321, 6, 7};

// A process with an image, a heap, and whatever a test puts there.
class Process {
 public:
  explicit Process(uint64_t data_size = kDataSize)
      : loaded_({.data_size = data_size, .data_in_file = kDataInFile}),
        image_(*loaded_.Read()) {
    memory().Map(kHeap, std::string(kHeapSize, '\0'));
  }

  FakeMemory& memory() { return loaded_.memory(); }
  const Image& image() const { return image_; }

  // An address in the image's data.
  static uint64_t Data(uint64_t offset) {
    return SyntheticImage().base + SyntheticImage::kData + offset;
  }

  uint64_t Allocate(uint64_t size) {
    const uint64_t address = kHeap + allocated_;
    allocated_ += size;
    return address;
  }

  void PutWords(uint64_t address, const std::vector<uint64_t>& words) {
    for (size_t i = 0; i < words.size(); ++i) {
      memory().Put(address + i * sizeof(uint64_t), words[i]);
    }
  }

  // An object of each generation is on the heap.
  void PutCollector(uint64_t address, const GenerationShape& shape) {
    PutGenerations(memory(), address, shape, Allocate(3 * 64), kCounts);
  }
  void PutPermanentGeneration(uint64_t head) { PutList(memory(), head, {}); }

  // Before 3.11: {next, threads} and more, on the heap; {prev, next,
  // interpreter} for its only thread.
  uint64_t AddHeapInterpreter(uint64_t next = 0) {
    const uint64_t interpreter = Allocate(0x400);
    const uint64_t thread = Allocate(0x100);
    PutWords(interpreter, {next, thread});
    PutWords(thread, {0, 0, interpreter});
    return interpreter;
  }

  // Before 3.7: {next, threads, modules, ., sysdict}.
  uint64_t AddOldInterpreter(uint64_t next = 0) {
    const uint64_t interpreter = AddHeapInterpreter(next);
    PutWords(interpreter + 16, {Allocate(64), 0, Allocate(64)});
    return interpreter;
  }

  // From 3.11 on: {next, ., ., threads} and more, anywhere.
  void PutInterpreter(uint64_t address, uint64_t thread, uint64_t next = 0) {
    PutWords(address, {next, 0, 0, thread});
    PutWords(thread, {0, 0, address});
  }

  absl::StatusOr<Location> Find(const Memory& memory) {
    const auto data = TakeDataSnapshots(memory, image());
    if (!data.ok()) return data.status();
    return FindByStructure(memory, image(), *data);
  }
  absl::StatusOr<Location> Find() { return Find(memory()); }

  absl::StatusOr<FoundGenerations> FindGenerationsIn(uint64_t begin,
                                                     uint64_t end) {
    return FindGenerations(memory(), *TakeSnapshot(memory(), begin, end),
                           image());
  }

 private:
  LoadedImage loaded_;
  Image image_;
  uint64_t allocated_ = 0;
};

// A process that runs a version of CPython: what belongs to its collector,
// where and how that version has it.
class Version : public Process {
 public:
  explicit Version(const std::string& name) {
    if (name == "2.7") {
      PutBefore37(kPython2Shape);
      const auto thread = memory().Get<uint64_t>(interpreter_ + 8);
      PutWords(thread, {0, interpreter_});
    } else if (name == "3.6") {
      PutBefore37(kPaddedShape);
    } else if (name == "3.7") {
      PutStaticCollector(Data(0x9170), kPaddedShape);
      PutRuntime(AddHeapInterpreter());
    } else if (name == "3.8") {
      PutStaticCollector(Data(0x9178), kShape);
      memory().Put(generations_ + 3 * 24, generations_);
      PutPermanentGeneration(generations_ + 3 * 24 + 8);
      PutRuntime(AddHeapInterpreter());
    } else if (name == "3.9") {
      const uint64_t interpreter = AddHeapInterpreter();
      PutCollectorOf(interpreter, 0x280);
      memory().Put(generations_ + 3 * 24, generations_);
      PutPermanentGeneration(generations_ + 3 * 24 + 8);
      PutRuntime(interpreter);
    } else {
      const uint64_t interpreter = Data(0xa000);
      PutInterpreter(interpreter, Data(0xd000));
      PutCollectorOf(interpreter, name == "3.13 of Debian" ? 0x1d4c : 0x2a0);
      if (name == "3.14.0" || name == "3.14.5") {
        PutPermanentGeneration(generations_ + 3 * 24);
      }
      if (name == "3.14.0") {
        shape_ = kIncrementalShape;
      } else if (name == "3.14.5") {
        memory().Put(generations_ + 4 * 24 + 72, generations_);
      }
      PutRuntime(interpreter);
    }
  }

  Location Expected() const {
    return {.discovery = Discovery::kStructure,
            .interpreter = pointer_ - image().base(),
            .in_interpreter = in_interpreter_,
            .generations = generations_ -
                           (in_interpreter_ ? interpreter_ : image().base()),
            .shape = shape_};
  }

  uint64_t pointer() const { return pointer_; }
  uint64_t interpreter() const { return interpreter_; }
  uint64_t Head(int generation) const {
    return generations_ + generation * shape_.size;
  }

  // As when the interpreter ends; what it had stays where it was.
  void Finalize() {
    memory().Put(pointer_, uint64_t{0});
    if (has_runtime_) memory().Put(pointer_ - 8, uint64_t{0});
  }

  // From then on it is the first in the list. Before 3.7 that is what the
  // pointer leads to, which does no harm: it shows only that one is alive.
  void AddSubinterpreter() {
    if (!has_runtime_) {
      memory().Put(pointer_, AddOldInterpreter(interpreter_));
      return;
    }
    uint64_t added;
    if (image().Contains(interpreter_, 0)) {
      added = Allocate(0x400);
      PutInterpreter(added, Allocate(0x100), interpreter_);
    } else {
      added = AddHeapInterpreter(interpreter_);
    }
    memory().Put(pointer_ - 8, added);
    memory().Put(pointer_ + 8, uint64_t{2});
  }

 private:
  void PutStaticCollector(uint64_t address, const GenerationShape& shape) {
    generations_ = address;
    shape_ = shape;
    in_interpreter_ = false;
    PutCollector(address, shape);
  }
  void PutCollectorOf(uint64_t interpreter, uint64_t offset) {
    PutStaticCollector(interpreter + offset, kShape);
    in_interpreter_ = true;
  }

  // A static array that the file gives, and a static pointer to an interpreter.
  void PutBefore37(const GenerationShape& shape) {
    PutStaticCollector(Data(0x148), shape);
    interpreter_ = AddOldInterpreter();
    pointer_ = Data(0x9008);
    memory().Put(pointer_, interpreter_);
  }

  // {head, main, next_id}
  void PutRuntime(uint64_t interpreter) {
    has_runtime_ = true;
    interpreter_ = interpreter;
    pointer_ = Data(0x9028);
    PutWords(pointer_ - 8, {interpreter, interpreter, 1});
  }

  uint64_t generations_ = 0;
  GenerationShape shape_ = kShape;
  bool in_interpreter_ = false;
  bool has_runtime_ = false;
  uint64_t pointer_ = 0;
  uint64_t interpreter_ = 0;
};

auto IsLocation(const Location& location) {
  return IsOkAndHolds(
      AllOf(Field("discovery", &Location::discovery, location.discovery),
            Field("interpreter", &Location::interpreter, location.interpreter),
            Field("in_interpreter", &Location::in_interpreter,
                  location.in_interpreter),
            Field("generations", &Location::generations, location.generations),
            Field("shape", &Location::shape, location.shape)));
}

auto IsNotThere() { return HasCode(StatusCode::kUnavailable); }

class FindByStructureIn : public testing::TestWithParam<const char*> {
 protected:
  Version version_{GetParam()};
};

TEST_P(FindByStructureIn, FindsTheCollector) {
  EXPECT_THAT(version_.Find(), IsLocation(version_.Expected()));
}

TEST_P(FindByStructureIn, FindsWhatCanBeRead) {
  const absl::StatusOr<Location> location = version_.Find();
  ASSERT_THAT(location, IsOk());
  const auto state =
      Locate(version_.memory(), version_.image().base(), *location);
  ASSERT_THAT(state, IsOk());
  EXPECT_THAT(ReadGcCounts(version_.memory(), state->generations, state->shape),
              IsOkAndHolds(kCounts));
}

TEST_P(FindByStructureIn, FindsItWithSubinterpreters) {
  version_.AddSubinterpreter();
  EXPECT_THAT(version_.Find(), IsLocation(version_.Expected()));
}

TEST_P(FindByStructureIn, FindsItWithALooseEndInAnyGeneration) {
  for (const int generation : {0, 1, 2}) {
    for (const uint64_t end : {0, 8}) {
      const uint64_t link = version_.Head(generation) + end;
      const auto right = version_.memory().Get<uint64_t>(link);
      version_.memory().Put(link, kHeap + kHeapSize - 0x100);
      EXPECT_THAT(version_.Find(), IsLocation(version_.Expected()));
      version_.memory().Put(link, right);
    }
  }
}

TEST_P(FindByStructureIn, FindsItWithAnEmptyGeneration) {
  for (const int generation : {0, 1, 2}) {
    const uint64_t head = version_.Head(generation);
    const auto object = version_.memory().Get<uint64_t>(head);
    PutList(version_.memory(), head, {});
    EXPECT_THAT(version_.Find(), IsLocation(version_.Expected()));
    PutList(version_.memory(), head, {object});
  }
}

TEST_P(FindByStructureIn, FindsItWithFlagsInItsLinks) {
  for (const uint64_t end : {0, 8}) {
    const uint64_t link = version_.Head(0) + end;
    version_.memory().Put(link, version_.memory().Get<uint64_t>(link) | 3);
  }
  EXPECT_THAT(version_.Find(), IsLocation(version_.Expected()));
}

TEST_P(FindByStructureIn, FindsItOnceACollectionIsOver) {
  const uint64_t head = version_.Head(1);
  const auto object = version_.memory().Get<uint64_t>(head);
  PutList(version_.memory(), object, {});
  const auto data = TakeDataSnapshots(version_.memory(), version_.image());
  version_.memory().ForgetReads();
  version_.memory().BeforeRead([&](int reads) {
    if (reads == 8) PutList(version_.memory(), head, {object});
  });
  EXPECT_THAT(FindByStructure(version_.memory(), version_.image(), *data),
              IsLocation(version_.Expected()));
}

TEST_P(FindByStructureIn, FindsNoneThatIsFinalized) {
  version_.Finalize();
  EXPECT_THAT(version_.Find(), IsNotThere());
}

TEST_P(FindByStructureIn, FindsNoneThatWasNeverUsed) {
  for (const int i : {0, 1, 2}) {
    PutList(version_.memory(), version_.Head(i), {});
  }
  EXPECT_THAT(version_.Find(), IsNotThere());
}

TEST_P(FindByStructureIn, FindsNoneWithoutAThread) {
  version_.memory().Put(
      version_.memory().Get<uint64_t>(version_.pointer()) +
          (version_.image().Contains(version_.interpreter(), 0) ? 24 : 8),
      uint64_t{0});
  EXPECT_THAT(version_.Find(), IsNotThere());
}

TEST_P(FindByStructureIn, SaysThatTheProcessHasGone) {
  const auto data = TakeDataSnapshots(version_.memory(), version_.image());
  ASSERT_THAT(data, IsOk());
  version_.memory().ForgetReads();
  ASSERT_THAT(FindByStructure(version_.memory(), version_.image(), *data),
              IsOk());
  const int steps = version_.memory().reads();
  version_.memory().ForgetReads();
  for (int step = 0; step < steps; ++step) {
    FakeMemory memory = version_.memory();
    memory.BeforeRead([&](int reads) {
      if (reads == step) memory.Vanish();
    });
    ASSERT_THAT(FindByStructure(memory, version_.image(), *data),
                HasCode(StatusCode::kNotFound))
        << step;
    ASSERT_EQ(memory.reads(), step + 1);
  }
}

TEST_P(FindByStructureIn, FindsNothingThatIsNoCollectorWhateverIsChanged) {
  std::mt19937_64 random(20'261'123);  // NOLINT(cert-msc51-cpp)
  int found = 0;
  constexpr int kRounds = 300;
  for (int round = 0; round < kRounds; ++round) {
    Version version(GetParam());
    FakeMemory& memory = version.memory();
    for (int i = 0; i < 100; ++i) {
      const uint64_t place = random() % kDataSize / 8 * 8;
      const std::array<uint64_t, 4> values = {
          0, random(), kHeap + random() % kHeapSize,
          Process::Data(random() % kDataSize)};
      memory.Put(i % 2 == 0 ? Process::Data(place) : kHeap + place % 0x1000,
                 values[random() % values.size()]);
    }
    const absl::StatusOr<Location> location =
        version.Find(BudgetedMemory(memory, 50'000, int64_t{1} << 30));
    ASSERT_THAT(location, AnyOf(IsOk(), IsNotThere()));
    if (!location.ok()) continue;
    ++found;
    const uint64_t base = version.image().base();
    const absl::StatusOr<uint64_t> interpreter =
        ReadInterpreterPointer(memory, base + location->interpreter);
    ASSERT_THAT(interpreter, IsOk());
    ASSERT_THAT(
        ProveGenerations(memory,
                         location->generations +
                             (location->in_interpreter ? *interpreter : base),
                         location->shape),
        IsOk());
  }
  EXPECT_GT(found, 0);
  EXPECT_LT(found, kRounds);
}

INSTANTIATE_TEST_SUITE_P(Version, FindByStructureIn,
                         testing::Values("2.7", "3.6", "3.7", "3.8", "3.9",
                                         "3.11", "3.13 of Debian", "3.14.0",
                                         "3.14.5"),
                         [](const auto& version) {
                           std::string name = version.param;
                           std::replace_if(
                               name.begin(), name.end(),
                               [](char c) { return c == '.' || c == ' '; },
                               '_');
                           return name;
                         });

// What is looked for stands in a state that is in the image (3.11 and later).
class StateInTheImage : public testing::Test {
 protected:
  Version version_{"3.11"};
};

TEST_F(StateInTheImage, IsNotFoundBehindItsGenerations) {
  const uint64_t interpreter = version_.Head(2) + 0x100;
  version_.PutInterpreter(interpreter, Process::Data(0xd000));
  version_.PutWords(version_.pointer() - 8, {interpreter, interpreter, 1});
  EXPECT_THAT(version_.Find(), IsNotThere());
}

TEST_F(StateInTheImage, IsNotFoundWhereTheImageIsNotData) {
  const uint64_t interpreter = version_.image().base() + 0x700;
  version_.PutInterpreter(interpreter, Process::Data(0xd000));
  version_.PutWords(version_.pointer() - 8, {interpreter, interpreter, 1});
  EXPECT_THAT(version_.Find(), IsNotThere());
}

TEST_F(StateInTheImage, IsNotFoundWithAnotherInterpreterThatIsNone) {
  version_.AddSubinterpreter();
  const auto other = version_.memory().Get<uint64_t>(version_.pointer() - 8);
  ASSERT_NE(other, version_.interpreter());
  const auto thread = version_.memory().Get<uint64_t>(other + 24);
  version_.memory().Put(thread + 16, other + 8);
  EXPECT_THAT(version_.Find(), IsNotThere());
}

TEST_F(StateInTheImage, IsNotFoundWithAThreadThatIsNotTheFirst) {
  const auto thread =
      version_.memory().Get<uint64_t>(version_.interpreter() + 24);
  version_.memory().Put(thread, kHeap);
  EXPECT_THAT(version_.Find(), IsNotThere());
}

TEST_F(StateInTheImage, IsNotFoundWithAThreadOf27) {
  const auto thread =
      version_.memory().Get<uint64_t>(version_.interpreter() + 24);
  version_.PutWords(thread, {0, version_.interpreter(), 0});
  EXPECT_THAT(version_.Find(), IsNotThere());
}

TEST_F(StateInTheImage, IsNotItsOwnThread) {
  const uint64_t interpreter = version_.interpreter();
  version_.PutWords(interpreter, {0, 0, interpreter, 0});
  EXPECT_THAT(version_.Find(), IsNotThere());
}

TEST_F(StateInTheImage, IsNotFoundWithAnotherInterpreterThatIsNotMapped) {
  version_.memory().Put(version_.pointer() - 8, kHeap + kHeapSize - 16);
  EXPECT_THAT(version_.Find(), IsNotThere());
}

TEST_F(StateInTheImage, IsNotFoundWithGenerationsOfAnOlderShape) {
  version_.memory().Write(version_.Head(0), std::string(3 * 24, '\0'));
  version_.PutCollector(version_.Head(0), kPaddedShape);
  EXPECT_THAT(version_.Find(), IsNotThere());
}

TEST_F(StateInTheImage, MayHaveItsThreadsAnywhereNearItsBeginning) {
  constexpr uint64_t kFarthest = (16 << 10) - 8;
  const uint64_t interpreter = version_.interpreter();
  const auto thread = version_.memory().Get<uint64_t>(interpreter + 24);
  version_.memory().Put(interpreter + 24, uint64_t{0});
  version_.memory().Put(interpreter + kFarthest, thread);
  EXPECT_THAT(version_.Find(), IsLocation(version_.Expected()));
  version_.memory().Put(interpreter + kFarthest, uint64_t{0});
  version_.memory().Put(interpreter + kFarthest + 8, thread);
  EXPECT_THAT(version_.Find(), IsNotThere());
}

// {head, main, next_id}
class RuntimePointers : public testing::Test {
 protected:
  Version version_{"3.8"};
};

TEST_F(RuntimePointers, AreKnownByTheNumberOfTheNextInterpreter) {
  struct {
    uint64_t next_id;
    bool is_one;
  } const ids[] = {{0, false},
                   {1, true},
                   {uint64_t{1} << 20, true},
                   {(uint64_t{1} << 20) + 1, false},
                   {~uint64_t{0}, false}};
  for (const auto& [next_id, is_one] : ids) {
    version_.memory().Put(version_.pointer() + 8, next_id);
    EXPECT_EQ(version_.Find().ok(), is_one) << next_id;
  }
}

TEST_F(RuntimePointers, AreAtTheVeryEndOfTheData) {
  version_.Finalize();
  version_.PutWords(Process::Data(kDataSize - 24),
                    {version_.interpreter(), version_.interpreter(), 1});
  Location expected = version_.Expected();
  expected.interpreter =
      Process::Data(kDataSize - 16) - version_.image().base();
  EXPECT_THAT(version_.Find(), IsLocation(expected));
}

TEST_F(RuntimePointers, LeadToOneInterpreterRatherThanToTwo) {
  // The same once more, and before it; as any two pointers and a number are.
  version_.PutWords(Process::Data(0x8100),
                    {version_.AddHeapInterpreter(), version_.interpreter(), 1});
  EXPECT_THAT(version_.Find(), IsLocation(version_.Expected()));
}

TEST_F(RuntimePointers, AreLookedForBehindThoseThatLeadNowhere) {
  const uint64_t node = version_.Allocate(64);
  version_.PutWords(Process::Data(0x8100), {node, node, 1});
  EXPECT_THAT(version_.Find(), IsLocation(version_.Expected()));
}

TEST_F(RuntimePointers, DoNotLeadToTwoNodesInARing) {
  const uint64_t node = version_.Allocate(64);
  const uint64_t other = version_.Allocate(64);
  version_.PutWords(node, {other, other});
  version_.PutWords(other, {node, node});
  version_.PutWords(version_.pointer() - 8, {node, node, 1});
  EXPECT_THAT(version_.Find(), IsNotThere());
}

TEST_F(RuntimePointers, DoNotLeadToANodeThatIsLinkedToItself) {
  const uint64_t node = version_.Allocate(64);
  version_.PutWords(node, {0, node});
  version_.PutWords(version_.pointer() - 8, {node, node, 1});
  EXPECT_THAT(version_.Find(), IsNotThere());
}

TEST_F(RuntimePointers, DoNotLeadToAThreadThatIsNotTheFirst) {
  const auto thread =
      version_.memory().Get<uint64_t>(version_.interpreter() + 8);
  version_.memory().Put(thread, kHeap);
  EXPECT_THAT(version_.Find(), IsNotThere());
}

TEST_F(RuntimePointers, DoNotLeadToTwoInterpretersOfWhichOneIsNone) {
  version_.AddSubinterpreter();
  ASSERT_THAT(version_.Find(), IsOk());
  for (const uint64_t pointer : {version_.pointer() - 8, version_.pointer()}) {
    const auto threads = version_.memory().Get<uint64_t>(pointer) + 8;
    const auto right = version_.memory().Get<uint64_t>(threads);
    version_.memory().Put(threads, uint64_t{0});
    EXPECT_THAT(version_.Find(), IsNotThere());
    version_.memory().Put(threads, right);
  }
}

TEST_F(RuntimePointers, AreNeededFrom38On) {
  version_.Finalize();
  version_.memory().Put(version_.pointer(), version_.AddOldInterpreter());
  EXPECT_THAT(version_.Find(), IsNotThere());
}

// A state of 3.9 or 3.10.
TEST(StateOnTheHeap, HasItsGenerationsNearItsBeginning) {
  constexpr uint64_t kEnd = 16 << 10;
  for (const uint64_t past_the_end : {0, 8}) {
    Version version("3.9");
    for (const int i : {0, 1, 2}) {
      version.PutWords(version.Head(i), {0, 0, 0});
    }
    version.PutCollector(
        version.interpreter() + kEnd - 3 * kShape.size + past_the_end, kShape);
    EXPECT_EQ(version.Find().ok(), past_the_end == 0);
  }
}

class FindGenerationsTest : public testing::Test, protected Process {
 protected:
  static constexpr uint64_t kState = kHeap + 0x8000;
  static constexpr uint64_t kEnd = kState + 0x400;
  static constexpr uint64_t kPlace = kState + 0x104;

  absl::StatusOr<FoundGenerations> Find() {
    return FindGenerationsIn(kState, kEnd);
  }
};

auto IsFoundAt(uint64_t address, const GenerationShape& shape) {
  return IsOkAndHolds(
      AllOf(Field("address", &FoundGenerations::address, address),
            Field("shape", &FoundGenerations::shape, shape)));
}

TEST_F(FindGenerationsTest, FindsEachShape) {
  for (const GenerationShape& shape : {kShape, kPython2Shape, kPaddedShape}) {
    memory().Write(kState, std::string(kEnd - kState, '\0'));
    PutCollector(kPlace, shape);
    EXPECT_THAT(Find(), IsFoundAt(kPlace, shape));
  }
}

TEST_F(FindGenerationsTest, FindsThemAtBothEnds) {
  for (const GenerationShape& shape : {kShape, kPython2Shape, kPaddedShape}) {
    for (const uint64_t place : {kState, kEnd - 3 * shape.size}) {
      memory().Write(kState, std::string(kEnd - kState, '\0'));
      PutCollector(place, shape);
      EXPECT_THAT(Find(), IsFoundAt(place, shape));
    }
  }
}

TEST_F(FindGenerationsTest, FindsNoneThatAreCutOff) {
  for (const GenerationShape& shape : {kShape, kPython2Shape, kPaddedShape}) {
    memory().Write(kState, std::string(kEnd - kState + 8, '\0'));
    PutCollector(kEnd - 3 * shape.size + 8, shape);
    EXPECT_THAT(Find(), IsNotThere());
  }
}

TEST_F(FindGenerationsTest, FindsThemInProcessesThatSetTheirThresholdToZero) {
  PutCollector(kPlace, kShape);
  memory().Put(kPlace + kShape.threshold, int32_t{0});
  EXPECT_THAT(Find(), IsFoundAt(kPlace, kShape));
}

TEST_F(FindGenerationsTest, FindsNoneWithNegativeNumbers) {
  PutCollector(kPlace, kShape);
  for (const uint64_t number : {kShape.threshold, kShape.threshold + 4}) {
    const auto right = memory().Get<int32_t>(kPlace + 24 + number);
    memory().Put(kPlace + 24 + number, int32_t{-1});
    EXPECT_THAT(Find(), IsNotThere()) << number;
    memory().Put(kPlace + 24 + number, right);
  }
}

TEST_F(FindGenerationsTest, FindsNoListsThatDoNotLeadBack) {
  PutCollector(kPlace, kShape);
  for (const int i : {0, 1, 2}) {
    const auto object = memory().Get<uint64_t>(kPlace + i * 24);
    PutWords(object, {kHeap, kHeap});
    EXPECT_THAT(Find(), IsNotThere()) << i;
    PutList(memory(), kPlace + i * 24, {object});
  }
}

TEST_F(FindGenerationsTest, FindsNoListsOfWhatIsInTheImage) {
  PutCollector(kPlace, kShape);
  const auto object = memory().Get<uint64_t>(kPlace + 24);
  for (const uint64_t end : {0, 8}) {
    PutList(memory(), kPlace + 24, {Data(0x100)});  // which leads back
    PutList(memory(), kPlace + 24, {object});
    EXPECT_THAT(Find(), IsOk());
    memory().Put(kPlace + 24 + end, Data(0x100));
    EXPECT_THAT(Find(), IsNotThere()) << end;
  }
}

TEST_F(FindGenerationsTest, FindsNoRowOfNodesThatAreLinkedToThemselves) {
  for (const int i : {0, 1, 2}) PutList(memory(), kPlace + i * 24, {});
  EXPECT_THAT(Find(), IsNotThere());
}

TEST_F(FindGenerationsTest, FindsNoRowOfTwoNodes) {
  const uint64_t objects = Allocate(2 * 64);
  for (const int i : {0, 1}) {
    PutList(memory(), kPlace + i * 24, {objects + i * 64});
  }
  EXPECT_THAT(Find(), IsNotThere());
}

TEST_F(FindGenerationsTest, DoesNotTakeThePermanentGenerationForTheThird) {
  PutCollector(kPlace, kShape);
  PutPermanentGeneration(kPlace + 3 * 24);
  ASSERT_THAT(Find(), IsFoundAt(kPlace, kIncrementalShape));
  // Both ends of the first list are loose, as they may be for a moment.
  const uint64_t object = Allocate(64);
  PutWords(kPlace, {object, object});
  EXPECT_THAT(Find(), IsNotThere());
}

TEST_F(FindGenerationsTest, TakesTheFirst) {
  PutCollector(kPlace, kShape);
  PutCollector(kPlace + 0x100, kShape);
  EXPECT_THAT(Find(), IsFoundAt(kPlace, kShape));
}

TEST_F(FindGenerationsTest, LooksBehindWhatOnlyLooksLikeThem) {
  const uint64_t object = Allocate(64);
  PutWords(kState, std::vector<uint64_t>(0x100 / 8, object));
  PutCollector(kPlace + 0x100, kShape);
  EXPECT_THAT(Find(), IsFoundAt(kPlace + 0x100, kShape));
  EXPECT_LT(memory().reads(), 1'000);
}

TEST_F(FindGenerationsTest, KnowsAnIncrementalCollectorByItsFourthGeneration) {
  PutCollector(kPlace, kShape);
  EXPECT_THAT(Find(), IsFoundAt(kPlace, kShape));
  PutPermanentGeneration(kPlace + 3 * 24);
  EXPECT_THAT(Find(), IsFoundAt(kPlace, kIncrementalShape));
  PutList(memory(), kPlace + 3 * 24, {Allocate(64), Allocate(64)});
  EXPECT_THAT(Find(), IsFoundAt(kPlace, kIncrementalShape));
}

TEST_F(FindGenerationsTest, KnowsAllOthersByThePointerBackToTheFirst) {
  constexpr uint64_t kAligned = kState + 0x100;
  struct {
    uint64_t generations;
    uint64_t offset;
    bool is_known;
  } const pointers[] = {{kPlace, 100, true},   {kPlace, 252, true},
                        {kPlace, 500, true},   {kPlace, 508, false},
                        {kAligned, 96, true},  {kAligned, 252, true},
                        {kAligned, 504, true}, {kAligned, 512, false}};
  for (const auto& [generations, offset, is_known] : pointers) {
    memory().Write(kState, std::string(kEnd - kState, '\0'));
    PutCollector(generations, kShape);
    PutPermanentGeneration(generations + 3 * 24);
    memory().Put(generations + offset, generations);
    EXPECT_THAT(Find(),
                IsFoundAt(generations, is_known ? kShape : kIncrementalShape))
        << offset;
  }
}

TEST_F(FindGenerationsTest, KnowsNoneByAPointerToAnother) {
  PutCollector(kPlace, kShape);
  PutPermanentGeneration(kPlace + 3 * 24);
  memory().Put(kPlace + 252, kPlace + 24);
  EXPECT_THAT(Find(), IsFoundAt(kPlace, kIncrementalShape));
}

TEST_F(FindGenerationsTest, SaysThatTheProcessHasGone) {
  PutCollector(kPlace, kShape);
  const auto snapshot = TakeSnapshot(memory(), kState, kEnd);
  memory().Vanish();
  EXPECT_THAT(FindGenerations(memory(), *snapshot, image()),
              HasCode(StatusCode::kNotFound));
}

class FindInterpreterPointerTest : public testing::Test, protected Process {
 protected:
  static constexpr uint64_t kPlace = 0x40;

  // Perhaps with a thread as 2.7 has it.
  uint64_t AddInterpreter(bool is_27) {
    const uint64_t interpreter = AddOldInterpreter();
    if (is_27) PutWords(ThreadOf(interpreter), {0, interpreter});
    return interpreter;
  }
  uint64_t ThreadOf(uint64_t interpreter) {
    return memory().Get<uint64_t>(interpreter + 8);
  }

  absl::StatusOr<uint64_t> Find() {
    return FindInterpreterPointer(
        memory(), *TakeSnapshot(memory(), Data(0), Data(0x100)), image());
  }
};

TEST_F(FindInterpreterPointerTest, FindsIt) {
  for (const bool is_27 : {false, true}) {
    memory().Put(Data(kPlace), AddInterpreter(is_27));
    EXPECT_THAT(Find(), IsOkAndHolds(Data(kPlace)));
  }
}

TEST_F(FindInterpreterPointerTest, FindsItAtBothEnds) {
  const uint64_t interpreter = AddInterpreter(false);
  for (const uint64_t place : {0, 0xf8}) {
    memory().Put(Data(place), interpreter);
    EXPECT_THAT(Find(), IsOkAndHolds(Data(place)));
    memory().Put(Data(place), uint64_t{0});
  }
}

TEST_F(FindInterpreterPointerTest, DoesNotTakeAThread) {
  for (const bool is_27 : {false, true}) {
    const uint64_t interpreter = AddInterpreter(is_27);
    const uint64_t thread = ThreadOf(interpreter);
    memory().Put(thread + (is_27 ? 16 : 24), Allocate(64));  // its frame
    memory().Put(Data(kPlace), thread);
    EXPECT_THAT(Find(), IsNotThere());
    memory().Put(Data(kPlace + 8), interpreter);
    EXPECT_THAT(Find(), IsOkAndHolds(Data(kPlace + 8)));
    memory().Put(Data(kPlace + 8), uint64_t{0});
  }
}

TEST_F(FindInterpreterPointerTest, TakesNoStateWithoutItsDictionaries) {
  for (const uint64_t dictionary : {16, 32}) {
    const uint64_t interpreter = AddInterpreter(false);
    memory().Put(Data(kPlace), interpreter);
    EXPECT_THAT(Find(), IsOk());
    memory().Put(interpreter + dictionary, uint64_t{1});
    EXPECT_THAT(Find(), IsNotThere()) << dictionary;
  }
}

TEST_F(FindInterpreterPointerTest, TakesNoStateInTheImage) {
  const uint64_t interpreter = Data(0x1000);
  PutWords(interpreter, {0, kHeap + 0x1000, kHeap, 0, kHeap});
  PutWords(kHeap + 0x1000, {0, 0, interpreter});
  memory().Put(Data(kPlace), interpreter);
  EXPECT_THAT(Find(), IsNotThere());
}

TEST_F(FindInterpreterPointerTest, TakesNoStateWhoseThreadLeadsElsewhere) {
  const uint64_t interpreter = AddInterpreter(false);
  memory().Put(Data(kPlace), interpreter);
  memory().Put(ThreadOf(interpreter) + 16, interpreter + 8);
  EXPECT_THAT(Find(), IsNotThere());
}

TEST_F(FindInterpreterPointerTest, TakesNothingThatIsNoAddress) {
  for (const uint64_t word :
       {uint64_t{8}, uint64_t{4088}, kHeap + 4, uint64_t{5} << 32,
        (uint64_t{1} << 48) + 8, -uint64_t{8}}) {
    memory().Put(Data(kPlace), word);
    memory().ForgetReads();
    EXPECT_THAT(Find(), IsNotThere());
    EXPECT_EQ(memory().reads(), 1) << word << " was followed";
  }
}

TEST_F(FindInterpreterPointerTest, SaysThatTheProcessHasGone) {
  memory().Put(Data(kPlace), AddInterpreter(false));
  const auto snapshot = TakeSnapshot(memory(), Data(0), Data(0x100));
  memory().ForgetReads();
  for (int step = 0; step < 3; ++step) {
    FakeMemory memory = this->memory();
    memory.BeforeRead([&](int reads) {
      if (reads == step) memory.Vanish();
    });
    EXPECT_THAT(FindInterpreterPointer(memory, *snapshot, image()),
                HasCode(StatusCode::kNotFound))
        << step;
  }
}

TEST(TakeDataSnapshots, TakesTheZeroFilledDataFirst) {
  Process process;
  process.memory().Put(Process::Data(0), uint64_t{1});
  process.memory().Put(Process::Data(kDataInFile), uint64_t{2});
  const auto data = TakeDataSnapshots(process.memory(), process.image());
  ASSERT_THAT(data, IsOk());
  ASSERT_THAT(*data, SizeIs(2));
  EXPECT_EQ((*data)[0].begin, Process::Data(kDataInFile));
  EXPECT_THAT((*data)[0].words, SizeIs((kDataSize - kDataInFile) / 8));
  EXPECT_EQ((*data)[0].words[0], 2u);
  EXPECT_EQ((*data)[1].begin, Process::Data(0));
  EXPECT_THAT((*data)[1].words, SizeIs(kDataInFile / 8));
  EXPECT_EQ((*data)[1].words[0], 1u);
}

TEST(TakeDataSnapshots, TakesSoMuchAndNoMore) {
  LoadedImage loaded;
  constexpr uint64_t kHuge = uint64_t{1} << 30;
  loaded.Put(SyntheticImage::kDataSegment + offsetof(Elf64_Phdr, p_memsz),
             kHuge);
  loaded.Put(SyntheticImage::kDataSegment + offsetof(Elf64_Phdr, p_filesz),
             kHuge - kMaxImageData + 0x1000);
  const auto data = TakeDataSnapshots(loaded.memory(), *loaded.Read());
  ASSERT_THAT(data, IsOk());
  ASSERT_THAT(*data, SizeIs(2));
  EXPECT_THAT((*data)[0].words, SizeIs((kMaxImageData - 0x1000) / 8));
  EXPECT_THAT((*data)[1].words, SizeIs(0x1000 / 8));
}

TEST(TakeDataSnapshots, TakesNothingOfAnImageWithoutData) {
  LoadedImage loaded;
  loaded.Put(SyntheticImage::kDataSegment, uint32_t{PT_NULL});
  EXPECT_THAT(TakeDataSnapshots(loaded.memory(), *loaded.Read()),
              IsOkAndHolds(IsEmpty()));
}

TEST(TakeDataSnapshots, SaysThatTheProcessHasGone) {
  Process process;
  process.memory().Vanish();
  EXPECT_THAT(TakeDataSnapshots(process.memory(), process.image()),
              HasCode(StatusCode::kNotFound));
}

TEST(FindDebugOffsets, FindsTheirCookieAnywhere) {
  for (const uint64_t place :
       {uint64_t{0}, uint64_t{0x128}, kDataInFile, kDataSize - 8}) {
    Process process;
    process.memory().Put(Process::Data(place), kDebugOffsetsCookie);
    EXPECT_EQ(
        FindDebugOffsets(*TakeDataSnapshots(process.memory(), process.image())),
        Process::Data(place));
  }
}

TEST(FindDebugOffsets, FindsNoneWhereThereAreNone) {
  Process process;
  process.memory().Put(Process::Data(0x128), kDebugOffsetsCookie + 1);
  process.memory().Put(Process::Data(0x144), kDebugOffsetsCookie);
  EXPECT_EQ(
      FindDebugOffsets(*TakeDataSnapshots(process.memory(), process.image())),
      0u);
}

TEST(FindByStructure, FindsNothingInGarbage) {
  std::mt19937_64 random(20'261'123);  // NOLINT(cert-msc51-cpp)
  Process process;
  for (int round = 0; round < 50; ++round) {
    for (uint64_t place = 0; place < kDataSize; place += 8) {
      for (const uint64_t address : {Process::Data(place), kHeap + place}) {
        const std::array<uint64_t, 6> values = {
            0,
            random() % 1'000,
            kHeap + random() % kHeapSize / 8 * 8,
            address,
            random() >> random() % 64,
            Process::Data(random() % kDataSize / 8 * 8)};
        process.memory().Put(address, values[random() % values.size()]);
      }
    }
    process.memory().ForgetReads();
    const BudgetedMemory budgeted(process.memory(), 50'000, int64_t{1} << 30);
    ASSERT_THAT(process.Find(budgeted), IsNotThere());
    ASSERT_LE(process.memory().reads(), 50'000);
  }
}

}  // namespace
}  // namespace pycheck

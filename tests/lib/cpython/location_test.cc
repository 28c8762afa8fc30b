#include "lib/cpython/location.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>

#include "tests/testing/fake_memory.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/synthetic_collector.h"

namespace pycheck {
namespace {

using absl::StatusCode;

constexpr uint64_t kBase = 0x7f0000000000;
constexpr uint64_t kInterpreter = 0x7f0000100000;
constexpr uint64_t kObjects = 0x7f0000200000;
constexpr uint64_t kPointer = 0x40;
constexpr uint64_t kStaticGenerations = 0x100;
constexpr uint64_t kGenerationsInState = 0x280;

constexpr Location kInImage{.discovery = Discovery::kLayout,
                            .interpreter = kPointer,
                            .in_interpreter = false,
                            .generations = kStaticGenerations,
                            .shape = kPaddedShape};
constexpr Location kInState{.discovery = Discovery::kLayout,
                            .interpreter = kPointer,
                            .in_interpreter = true,
                            .generations = kGenerationsInState,
                            .shape = kShape};

class LocateTest : public testing::Test {
 protected:
  LocateTest() {
    memory_.Map(kBase, std::string(0x1000, '\0'));
    memory_.Map(kInterpreter, std::string(0x1000, '\0'));
    memory_.Map(kObjects, std::string(0x1000, '\0'));
    memory_.Put(kBase + kPointer, kInterpreter);
    PutGenerations(memory_, kBase + kStaticGenerations, kInImage.shape,
                   kObjects);
    PutGenerations(memory_, kInterpreter + kGenerationsInState, kInState.shape,
                   kObjects + 0x800);
  }

  absl::StatusOr<CollectorState> Go(const Location& location) {
    return Locate(memory_, kBase, location);
  }

  FakeMemory memory_;
};

TEST_F(LocateTest, GoesToGenerationsInTheImage) {
  const absl::StatusOr<CollectorState> state = Go(kInImage);
  ASSERT_THAT(state, IsOk());
  EXPECT_EQ(state->interpreter_pointer, kBase + kPointer);
  EXPECT_EQ(state->interpreter, kInterpreter);
  EXPECT_EQ(state->generations, kBase + kStaticGenerations);
  EXPECT_EQ(state->shape, kPaddedShape);
  EXPECT_FALSE(state->free_threading.has_value());
}

TEST_F(LocateTest, GoesToGenerationsInTheInterpretersState) {
  const absl::StatusOr<CollectorState> state = Go(kInState);
  ASSERT_THAT(state, IsOk());
  EXPECT_EQ(state->interpreter_pointer, kBase + kPointer);
  EXPECT_EQ(state->interpreter, kInterpreter);
  EXPECT_EQ(state->generations, kInterpreter + kGenerationsInState);
  EXPECT_EQ(state->shape, kShape);
}

TEST_F(LocateTest, IsRefusedWithoutAnInterpreter) {
  memory_.Put(kBase + kPointer, uint64_t{0});
  for (const Location& location : {kInImage, kInState}) {
    EXPECT_THAT(Go(location), HasCode(StatusCode::kUnavailable));
  }
}

TEST_F(LocateTest, IsRefusedWhereNothingIsMapped) {
  for (const Location& location : {kInImage, kInState}) {
    EXPECT_THAT(Locate(memory_, 0x1000, location),
                HasCode(StatusCode::kUnavailable));
  }
  memory_.Put(kBase + kPointer, ~uint64_t{0});
  EXPECT_THAT(Go(kInState), HasCode(StatusCode::kUnavailable));
}

TEST_F(LocateTest, IsRefusedWhereNoGenerationsAre) {
  for (Location location : {kInImage, kInState}) {
    location.generations += 8;
    EXPECT_THAT(Go(location), HasCode(StatusCode::kUnavailable));
  }
}

TEST_F(LocateTest, IsRefusedWithGenerationsThatWereNeverUsed) {
  for (const Location& location : {kInImage, kInState}) {
    const absl::StatusOr<CollectorState> state = Go(location);
    ASSERT_THAT(state, IsOk());
    const auto head = [&](uint64_t i) {
      return state->generations + i * state->shape.size;
    };
    for (int i = 0; i < kGenerations; ++i) PutList(memory_, head(i), {});
    EXPECT_THAT(Go(location), StatusIs(StatusCode::kUnavailable,
                                       "its interpreter is not initialised"));
    PutList(memory_, head(2), {kObjects});
    EXPECT_THAT(Go(location), IsOk());
  }
}

TEST_F(LocateTest, SaysThatTheProcessHasGone) {
  for (const Location& location : {kInImage, kInState}) {
    memory_.ForgetReads();
    ASSERT_THAT(Go(location), IsOk());
    const int steps = memory_.reads();
    memory_.ForgetReads();
    for (int step = 0; step < steps; ++step) {
      FakeMemory memory = memory_;
      memory.BeforeRead([&](int reads) {
        if (reads == step) memory.Vanish();
      });
      EXPECT_THAT(Locate(memory, kBase, location),
                  HasCode(StatusCode::kNotFound))
          << step;
    }
  }
}

TEST_F(LocateTest, ProvesAFreeThreadedCollectorByItsThreads) {
  constexpr uint64_t kThread = kObjects;
  Location location = kInState;
  location.free_threading = {
      .threads_head = 0x10, .generations = 0x20, .alloc_count = 0x30};
  memory_.Put(kInterpreter + 0x10, kThread);
  memory_.Put(kThread, std::array<uint64_t, 3>{0, 0, kInterpreter});
  memory_.Put(kThread + 0x30, uint64_t{0});
  const absl::StatusOr<CollectorState> state = Go(location);
  ASSERT_THAT(state, IsOk());
  ASSERT_TRUE(state->free_threading.has_value());
  EXPECT_EQ(state->free_threading->alloc_count, 0x30u);

  memory_.Put(kThread + 16, kInterpreter + 8);
  EXPECT_THAT(Go(location), HasCode(StatusCode::kUnavailable));
}

TEST(ReadInterpreterPointer, IsWhatIsThere) {
  FakeMemory memory;
  memory.Map(0x1000, std::string(8, '\0'));
  EXPECT_THAT(ReadInterpreterPointer(memory, 0x1000),
              HasCode(StatusCode::kUnavailable));
  memory.Put(0x1000, kInterpreter);
  EXPECT_THAT(ReadInterpreterPointer(memory, 0x1000),
              IsOkAndHolds(kInterpreter));
  EXPECT_THAT(ReadInterpreterPointer(memory, 0x2000),
              HasCode(StatusCode::kUnavailable));
  memory.Vanish();
  EXPECT_THAT(ReadInterpreterPointer(memory, 0x1000),
              HasCode(StatusCode::kNotFound));
}

TEST(ToString, NamesEachWay) {
  EXPECT_EQ(ToString(Discovery::kLayout), "layout");
  EXPECT_EQ(ToString(Discovery::kDebugOffsets), "debug offsets");
  EXPECT_EQ(ToString(Discovery::kStructure), "structure");
}

}  // namespace
}  // namespace pycheck

#include "lib/cpython/debug_offsets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>

#include "tests/testing/fake_memory.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::AnyOf;

constexpr uint64_t kRuntime = 0x7f0000000000;
constexpr uint64_t kInterpreters = 0x7f0000100000;
constexpr uint64_t kMaxSize = uint64_t{64} << 20;

// The first fields, each of 64 bits (pycore_debug_offsets.h).
enum Field {
  kCookie,
  kVersion,
  kFreeThreaded,
  kRuntimeSize,
  kFinalizing,
  kInterpretersHead,
  kInterpreterSize,
  kId,
  kNext,
  kThreadsHead,
  kGc313,
  kThreadsMain314 = kGc313,
  kGc314,
  kFields,
};
using Fields = std::array<uint64_t, kFields>;

constexpr uint64_t k313 = 0x030d00f0;
constexpr uint64_t k314 = 0x030e0000;

Fields FieldsOf(uint64_t version) {
  Fields fields{};
  fields[kCookie] = kDebugOffsetsCookie;
  fields[kVersion] = version;
  fields[kRuntimeSize] = 0x8000;
  fields[kFinalizing] = 600;
  fields[kInterpretersHead] = 632;
  fields[kInterpreterSize] = 0x4000;
  fields[kId] = 16;
  fields[kNext] = 8;
  fields[kThreadsHead] = 0x1c00;
  if (version < k314) {
    fields[kGc313] = 0x1d00;
    fields[kGc314] = ~uint64_t{0};  // of something else
  } else {
    fields[kThreadsMain314] = ~uint64_t{0};
    fields[kGc314] = 0x1d00;
  }
  return fields;
}

absl::StatusOr<DebugOffsets> Read(const Fields& fields) {
  FakeMemory memory;
  memory.Map(kRuntime, std::string(sizeof(fields), '\0'));
  memory.Put(kRuntime, fields);
  return ReadDebugOffsets(memory, kRuntime);
}

absl::StatusOr<DebugOffsets> ReadWith(uint64_t version, Field field,
                                      uint64_t value) {
  Fields fields = FieldsOf(version);
  fields[field] = value;
  return Read(fields);
}

class DebugOffsetsOf : public testing::TestWithParam<uint64_t> {
 protected:
  static Field Gc() { return GetParam() < k314 ? kGc313 : kGc314; }
};

TEST_P(DebugOffsetsOf, AreTakenFromTheirPlaces) {
  const absl::StatusOr<DebugOffsets> offsets = Read(FieldsOf(GetParam()));
  ASSERT_THAT(offsets, IsOk());
  EXPECT_EQ(offsets->version_hex, GetParam());
  EXPECT_FALSE(offsets->free_threaded);
  EXPECT_EQ(offsets->interpreters_head, 632u);
  EXPECT_EQ(offsets->interpreter_size, 0x4000u);
  EXPECT_EQ(offsets->id, 16u);
  EXPECT_EQ(offsets->next, 8u);
  EXPECT_EQ(offsets->threads_head, 0x1c00u);
  EXPECT_EQ(offsets->gc, 0x1d00u);
}

TEST_P(DebugOffsetsOf, MayBeThoseOfAFreeThreadedBuild) {
  const auto offsets = ReadWith(GetParam(), kFreeThreaded, 1);
  ASSERT_THAT(offsets, IsOk());
  EXPECT_TRUE(offsets->free_threaded);
}

TEST_P(DebugOffsetsOf, BeginWithACookie) {
  for (const uint64_t wrong :
       {uint64_t{0}, kDebugOffsetsCookie + 1, ~uint64_t{0}}) {
    EXPECT_THAT(ReadWith(GetParam(), kCookie, wrong),
                HasCode(StatusCode::kFailedPrecondition));
  }
}

TEST_P(DebugOffsetsOf, HaveSizesWithinBounds) {
  for (const Field field : {kRuntimeSize, kInterpreterSize}) {
    for (const uint64_t wrong : {uint64_t{0}, uint64_t{7}, kMaxSize + 1,
                                 uint64_t{1} << 63, ~uint64_t{0}}) {
      EXPECT_THAT(ReadWith(GetParam(), field, wrong),
                  HasCode(StatusCode::kInvalidArgument))
          << field << " " << wrong;
    }
    EXPECT_THAT(ReadWith(GetParam(), field, kMaxSize), IsOk());
  }
}

TEST_P(DebugOffsetsOf, LieWithinTheInterpretersState) {
  for (const Field field : {kId, kNext, kThreadsHead, Gc()}) {
    for (const uint64_t wrong :
         {uint64_t{0x4000 - 7}, uint64_t{0x4000}, uint64_t{1} << 63,
          ~uint64_t{0}, ~uint64_t{7}}) {
      EXPECT_THAT(ReadWith(GetParam(), field, wrong),
                  HasCode(StatusCode::kInvalidArgument))
          << field << " " << wrong;
    }
    EXPECT_THAT(ReadWith(GetParam(), field, 0x4000 - 8), IsOk()) << field;
  }
}

TEST_P(DebugOffsetsOf,
       LieWithinTheRuntimeWithTheMainInterpreterBehindTheFirst) {
  for (const uint64_t wrong : {uint64_t{0x8000 - 8}, uint64_t{0x8000},
                               uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{7}}) {
    EXPECT_THAT(ReadWith(GetParam(), kInterpretersHead, wrong),
                HasCode(StatusCode::kInvalidArgument))
        << wrong;
  }
  EXPECT_THAT(ReadWith(GetParam(), kInterpretersHead, 0x8000 - 16), IsOk());
}

TEST_P(DebugOffsetsOf, AreAligned) {
  for (const Field field :
       {kInterpretersHead, kId, kNext, kThreadsHead, Gc()}) {
    for (const uint64_t wrong : {0x101, 0x102, 0x104}) {
      EXPECT_THAT(ReadWith(GetParam(), field, wrong),
                  HasCode(StatusCode::kInvalidArgument))
          << field << " " << wrong;
    }
  }
}

TEST_P(DebugOffsetsOf, AreWithinBoundsWhateverTheySay) {
  std::mt19937_64 random(20'261'123);  // NOLINT(cert-msc51-cpp)
  for (int round = 0; round < 10'000; ++round) {
    Fields fields = FieldsOf(GetParam());
    for (int i = 0; i < 2; ++i) {
      fields[kVersion + random() % (kFields - kVersion)] =
          random() >> random() % 64;
    }
    const absl::StatusOr<DebugOffsets> offsets = Read(fields);
    ASSERT_THAT(offsets, AnyOf(IsOk(), HasCode(StatusCode::kInvalidArgument)));
    if (!offsets.ok()) continue;
    ASSERT_LE(offsets->interpreters_head + 16, fields[kRuntimeSize]);
    ASSERT_LE(offsets->interpreter_size, kMaxSize);
    for (const uint64_t offset :
         {offsets->id, offsets->next, offsets->threads_head, offsets->gc}) {
      ASSERT_LE(offset + 8, offsets->interpreter_size);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Version, DebugOffsetsOf,
                         testing::Values(k313, k314 - 1, k314, 0x030e05f0,
                                         0x030f00b2),
                         [](const auto& version) {
                           return "Hex" + std::to_string(version.param);
                         });

TEST(ReadDebugOffsets, TakesOneRead) {
  FakeMemory memory;
  memory.Map(kRuntime, std::string(sizeof(Fields), '\0'));
  memory.Put(kRuntime, FieldsOf(k313));
  EXPECT_THAT(ReadDebugOffsets(memory, kRuntime), IsOk());
  EXPECT_EQ(memory.reads(), 1);
}

TEST(ReadDebugOffsets, GivesNothingWhereTooLittleIsMapped) {
  FakeMemory memory;
  memory.Map(kRuntime, std::string(sizeof(uint64_t), '\0'));
  memory.Put(kRuntime, kDebugOffsetsCookie);
  EXPECT_THAT(ReadDebugOffsets(memory, kRuntime),
              HasCode(StatusCode::kFailedPrecondition));
}

TEST(ReadDebugOffsets, SaysThatTheProcessHasGone) {
  FakeMemory memory;
  memory.Vanish();
  EXPECT_THAT(ReadDebugOffsets(memory, kRuntime),
              HasCode(StatusCode::kNotFound));
}

// A list of interpreters: each has its next and its id where kOffsets says.
class FindMainInterpreterTest : public testing::Test {
 protected:
  static constexpr DebugOffsets kOffsets{.version_hex = 0x030d00f0,
                                         .free_threaded = false,
                                         .interpreters_head = 632,
                                         .interpreter_size = 0x40,
                                         .id = 16,
                                         .next = 8,
                                         .threads_head = 24,
                                         .gc = 32};

  FindMainInterpreterTest() {
    memory_.Map(kRuntime, std::string(0x1000, '\0'));
    memory_.Map(kInterpreters, std::string(0x100000, '\0'));
  }

  static uint64_t Interpreter(uint64_t id) {
    return kInterpreters + id * kOffsets.interpreter_size;
  }

  // With `count` - 1 first and 0, the main one, last.
  void PutInterpreters(uint64_t count) {
    memory_.Put(kRuntime + kOffsets.interpreters_head, Interpreter(count - 1));
    for (uint64_t id = 0; id < count; ++id) {
      memory_.Put(Interpreter(id) + kOffsets.id, id);
      memory_.Put(Interpreter(id) + kOffsets.next,
                  id == 0 ? 0 : Interpreter(id - 1));
    }
  }

  absl::StatusOr<uint64_t> Find() {
    return FindMainInterpreter(memory_, kRuntime, kOffsets);
  }

  FakeMemory memory_;
};

TEST_F(FindMainInterpreterTest, FindsTheOnlyOne) {
  PutInterpreters(1);
  EXPECT_THAT(Find(), IsOkAndHolds(Interpreter(0)));
  EXPECT_EQ(memory_.reads(), 2);
}

TEST_F(FindMainInterpreterTest, FindsTheLastOfMany) {
  PutInterpreters(4096);
  EXPECT_THAT(Find(), IsOkAndHolds(Interpreter(0)));
}

TEST_F(FindMainInterpreterTest, GivesUpAfterVeryMany) {
  PutInterpreters(4097);
  EXPECT_THAT(Find(), HasCode(StatusCode::kUnavailable));
  EXPECT_EQ(memory_.reads(), 2 * 4096);
}

TEST_F(FindMainInterpreterTest, FindsNoneInAnEmptyList) {
  EXPECT_THAT(Find(), HasCode(StatusCode::kUnavailable));
  EXPECT_EQ(memory_.reads(), 1);
}

TEST_F(FindMainInterpreterTest, FindsNoneInAListWithoutIt) {
  PutInterpreters(3);
  memory_.Put(Interpreter(1) + kOffsets.next, uint64_t{0});
  EXPECT_THAT(Find(), HasCode(StatusCode::kUnavailable));
}

TEST_F(FindMainInterpreterTest, FindsNoneInARingWithoutIt) {
  PutInterpreters(3);
  memory_.Put(Interpreter(1) + kOffsets.next, Interpreter(2));
  EXPECT_THAT(Find(), HasCode(StatusCode::kUnavailable));
  EXPECT_EQ(memory_.reads(), 2 * 4096);
}

TEST_F(FindMainInterpreterTest, FindsNoneWhereNothingIsMapped) {
  for (const uint64_t wrong :
       {uint64_t{0x1000}, uint64_t{1} << 63, ~uint64_t{0}}) {
    memory_.Put(kRuntime + kOffsets.interpreters_head, wrong);
    EXPECT_THAT(Find(), HasCode(StatusCode::kUnavailable)) << wrong;
  }
  EXPECT_THAT(FindMainInterpreter(memory_, 0x1000, kOffsets),
              HasCode(StatusCode::kUnavailable));
}

TEST_F(FindMainInterpreterTest, SaysThatTheProcessHasGone) {
  PutInterpreters(2);
  for (int step = 0; step < 4; ++step) {
    memory_.ForgetReads();
    FakeMemory memory = memory_;
    memory.BeforeRead([&](int reads) {
      if (reads == step) memory.Vanish();
    });
    EXPECT_THAT(FindMainInterpreter(memory, kRuntime, kOffsets),
                HasCode(StatusCode::kNotFound));
    EXPECT_EQ(memory.reads(), step + 1);
  }
}

}  // namespace
}  // namespace pycheck

#include "lib/cpython/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "lib/base/memory.h"
#include "tests/testing/fake_memory.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr uint64_t kPage = 4096;
constexpr uint64_t kChunk = uint64_t{256} << 10;
constexpr uint64_t kAddress = 0x7f0000000000;
constexpr size_t kWordsOfAPage = kPage / sizeof(uint64_t);

// All of a page's bytes are `byte`, and each of its words is this.
std::string Page(char byte) { return std::string(kPage, byte); }
uint64_t WordOf(uint8_t byte) { return byte * uint64_t{0x0101010101010101}; }

// The words of a snapshot's page.
std::vector<uint64_t> PageOf(const Snapshot& snapshot, size_t index) {
  const auto begin = snapshot.words.begin() +
                     static_cast<std::ptrdiff_t>(index * kWordsOfAPage);
  return {begin, begin + kWordsOfAPage};
}

class TakeSnapshotTest : public testing::Test {
 protected:
  FakeMemory memory_;
};

TEST_F(TakeSnapshotTest, TakesEachWord) {
  memory_.Map(kAddress, std::string(24, '\0'));
  for (const uint64_t i : {0, 1, 2}) memory_.Put(kAddress + 8 * i, 10 + i);
  const auto snapshot = TakeSnapshot(memory_, kAddress, kAddress + 24);
  ASSERT_THAT(snapshot, IsOk());
  EXPECT_EQ(snapshot->begin, kAddress);
  EXPECT_THAT(snapshot->words, ElementsAre(10, 11, 12));
}

TEST_F(TakeSnapshotTest, LeavesOutWordsThatAreNotWhole) {
  memory_.Map(kAddress, std::string(40, '\0'));
  for (const uint64_t i : {0, 1, 2, 3}) memory_.Put(kAddress + 8 * i, 10 + i);
  const auto snapshot = TakeSnapshot(memory_, kAddress + 1, kAddress + 31);
  ASSERT_THAT(snapshot, IsOk());
  EXPECT_EQ(snapshot->begin, kAddress + 8);
  EXPECT_THAT(snapshot->words, ElementsAre(11, 12));
}

TEST_F(TakeSnapshotTest, TakesNothingOfNothing) {
  for (const uint64_t end : {kAddress - 8, kAddress, kAddress + 7}) {
    const auto snapshot = TakeSnapshot(memory_, kAddress, end);
    ASSERT_THAT(snapshot, IsOk());
    EXPECT_THAT(snapshot->words, IsEmpty());
  }
  EXPECT_EQ(memory_.reads(), 0);
}

TEST_F(TakeSnapshotTest, ReadsAChunkAtATime) {
  memory_.Map(kAddress, std::string(3 * kChunk, 'x'));
  const auto snapshot =
      TakeSnapshot(memory_, kAddress + kPage, kAddress + 3 * kChunk);
  ASSERT_THAT(snapshot, IsOk());
  EXPECT_THAT(snapshot->words, SizeIs((3 * kChunk - kPage) / 8));
  EXPECT_THAT(snapshot->words, Each(WordOf('x')));
  EXPECT_EQ(memory_.reads(), 3);
}

TEST_F(TakeSnapshotTest, HasZerosWhereNothingIsMapped) {
  const auto snapshot = TakeSnapshot(memory_, kAddress, kAddress + kPage);
  ASSERT_THAT(snapshot, IsOk());
  EXPECT_THAT(snapshot->words, SizeIs(kWordsOfAPage));
  EXPECT_THAT(snapshot->words, Each(0));
}

// As pread(2) does that comes upon a hole.
class ScribblingMemory : public Memory {
 public:
  absl::Status Read(uint64_t, absl::Span<char> out) const override {
    if (!out.empty()) out[0] = 'x';
    return absl::OutOfRangeError("unmapped");
  }
};

TEST_F(TakeSnapshotTest, HasZerosWhereAReadFailedHalfway) {
  const auto snapshot =
      TakeSnapshot(ScribblingMemory(), kAddress, kAddress + 2 * kPage);
  ASSERT_THAT(snapshot, IsOk());
  EXPECT_THAT(snapshot->words, Each(0));
}

TEST_F(TakeSnapshotTest, TakesEachPageThatIsMapped) {
  memory_.Map(kAddress, Page('a'));
  memory_.Map(kAddress + 2 * kPage, Page('c'));
  memory_.Map(kAddress + kChunk, Page('d'));
  const auto snapshot =
      TakeSnapshot(memory_, kAddress, kAddress + kChunk + kPage);
  ASSERT_THAT(snapshot, IsOk());
  EXPECT_THAT(PageOf(*snapshot, 0), Each(WordOf('a')));
  EXPECT_THAT(PageOf(*snapshot, 1), Each(0));
  EXPECT_THAT(PageOf(*snapshot, 2), Each(WordOf('c')));
  EXPECT_THAT(PageOf(*snapshot, 3), Each(0));
  EXPECT_THAT(PageOf(*snapshot, kChunk / kPage), Each(WordOf('d')));
  EXPECT_LE(memory_.reads(), 1 + int{kChunk / kPage} + 1);
}

TEST_F(TakeSnapshotTest, ReadsPagesFromTheirBeginnings) {
  memory_.Map(kAddress + kPage, Page('b'));
  const auto snapshot =
      TakeSnapshot(memory_, kAddress + kPage - 8, kAddress + kPage + 8);
  ASSERT_THAT(snapshot, IsOk());
  EXPECT_THAT(snapshot->words, ElementsAre(0, WordOf('b')));
}

TEST_F(TakeSnapshotTest, SaysThatTheProcessHasGone) {
  memory_.Map(kAddress, std::string(2 * kChunk, 'x'));
  for (const int step : {0, 1}) {
    FakeMemory memory = memory_;
    memory.BeforeRead([&](int reads) {
      if (reads == step) memory.Vanish();
    });
    EXPECT_THAT(TakeSnapshot(memory, kAddress, kAddress + 2 * kChunk),
                HasCode(StatusCode::kNotFound));
    EXPECT_EQ(memory.reads(), step + 1);
  }
}

}  // namespace
}  // namespace pycheck

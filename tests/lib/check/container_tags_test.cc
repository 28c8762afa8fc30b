#include "lib/check/container_tags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/testing/recording_tagger.h"

namespace pycheck {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int64_t kBegin = 1'000;
constexpr int64_t kMinute = ContainerTags::kRefreshNs;

TEST(ContainerTags, AreAskedForOnceInARefreshPeriod) {
  RecordingTagger tagger;
  tagger.tags["a"] = {"image:x"};
  tagger.tags["b"] = {"image:y"};
  ContainerTags tags;
  for (int64_t now = kBegin; now < kBegin + kMinute; now += kMinute / 4) {
    EXPECT_THAT(tags.Of("a", now, {}, tagger).tags, ElementsAre("image:x"));
    EXPECT_THAT(tags.Of("b", now, {}, tagger).tags, ElementsAre("image:y"));
    EXPECT_THAT(tags.Of("a", now, {}, tagger).tags, ElementsAre("image:x"));
  }
  EXPECT_THAT(tagger.asked, ElementsAre("a", "b"));
  tags.Of("a", kBegin + kMinute, {}, tagger);
  EXPECT_THAT(tagger.asked, ElementsAre("a", "b", "a"));
}

TEST(ContainerTags, AreAskedForSoonerWhereThereAreNoneYet) {
  RecordingTagger tagger;
  ContainerTags tags;
  EXPECT_THAT(tags.Of("a", kBegin, {}, tagger).tags, IsEmpty());
  tagger.tags["a"] = {"image:x"};
  const int64_t due = kBegin + ContainerTags::kRefreshEmptyNs;
  EXPECT_THAT(tags.Of("a", due - 1, {}, tagger).tags, IsEmpty());
  EXPECT_THAT(tags.Of("a", due, {}, tagger).tags, ElementsAre("image:x"));
  EXPECT_THAT(tagger.asked, SizeIs(2));
}

TEST(ContainerTags, HaveANewVersionOnlyWhenTheyChange) {
  RecordingTagger tagger;
  ContainerTags tags;
  EXPECT_EQ(tags.Of("a", kBegin, {}, tagger).version, 1);
  EXPECT_EQ(tags.Of("a", kBegin + kMinute, {}, tagger).version, 1);
  tagger.tags["a"] = {"image:x"};
  EXPECT_EQ(tags.Of("a", kBegin + 2 * kMinute, {}, tagger).version, 2);
  EXPECT_EQ(tags.Of("a", kBegin + 3 * kMinute, {}, tagger).version, 2);
}

TEST(ContainerTags, ForgetContainersThatAreGone) {
  RecordingTagger tagger;
  tagger.tags["a"] = {"image:x"};
  ContainerTags tags;
  tags.Of("a", kBegin, {}, tagger);
  tags.Prune(kBegin + kMinute);
  const int64_t version = tags.Of("a", kBegin + 1, {}, tagger).version;
  EXPECT_THAT(tagger.asked, ElementsAre("a"));
  tags.Prune(kBegin + 2 + kMinute);
  // Who has the tags of a version before does not take them for these.
  EXPECT_NE(tags.Of("a", kBegin + 3, {}, tagger).version, version);
  EXPECT_THAT(tagger.asked, ElementsAre("a", "a"));
}

TEST(ContainerTags, HandTheCardinalityOn) {
  RecordingTagger tagger;
  ContainerTags tags;
  tags.Of("a", kBegin, {}, tagger);
  EXPECT_EQ(tagger.cardinality, std::nullopt);
  tags.Of("b", kBegin, TagCardinality::kHigh, tagger);
  EXPECT_EQ(tagger.cardinality, TagCardinality::kHigh);
}

}  // namespace
}  // namespace pycheck

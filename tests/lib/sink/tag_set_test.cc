#include "lib/sink/tag_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace pycheck {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> ReadCStrings(const TagSet& tags) {
  std::vector<std::string> strings;
  for (char** tag = tags.c_strings(); *tag != nullptr; ++tag) {
    strings.emplace_back(*tag);
  }
  return strings;
}

TEST(TagSet, KeepsTheOrder) {
  const TagSet tags({"b:2", "a:1", "lone"});
  EXPECT_THAT(tags.tags(), ElementsAre("b:2", "a:1", "lone"));
  EXPECT_THAT(ReadCStrings(tags), ElementsAre("b:2", "a:1", "lone"));
}

TEST(TagSet, EndsAnEmptySetWithANullPointer) {
  const TagSet tags;
  EXPECT_THAT(tags.tags(), IsEmpty());
  EXPECT_THAT(ReadCStrings(tags), IsEmpty());
}

TEST(TagSet, KeepsItsPointersWhenMoved) {
  // Short strings lie inside the string object, long ones do not.
  TagSet tags({"s", "a:tag-that-is-too-long-to-lie-inside-its-string-object"});
  char** const pointers = tags.c_strings();
  const TagSet moved = std::move(tags);
  EXPECT_EQ(moved.c_strings(), pointers);
  EXPECT_THAT(
      ReadCStrings(moved),
      ElementsAre("s",
                  "a:tag-that-is-too-long-to-lie-inside-its-string-object"));
}

TEST(TagSet, TakesTheTagsOfAnAssignedOne) {
  TagSet tags({"old:1", "older:2"});
  tags = TagSet({"new:3"});
  EXPECT_THAT(tags.tags(), ElementsAre("new:3"));
  EXPECT_THAT(ReadCStrings(tags), ElementsAre("new:3"));
}

TEST(TagSet, CannotBeCopied) {
  EXPECT_FALSE(std::is_copy_constructible_v<TagSet>);
  EXPECT_FALSE(std::is_copy_assignable_v<TagSet>);
}

}  // namespace
}  // namespace pycheck

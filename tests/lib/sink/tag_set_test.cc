#include "lib/sink/tag_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

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

std::string Repeat(std::string_view text, int times) {
  std::string repeated;
  for (int i = 0; i < times; ++i) repeated += text;
  return repeated;
}

TEST(NormalizeTag, LeavesWhatIsNormal) {
  for (const char* const tag :
       {"", "lone", "env:prod", "url:http://x.y/z-1", ":colon", "::two",
        "service:caf\u00e9", "\u7e4b\u304c:\u3063\u3066", "a:b_c", "a:"}) {
    EXPECT_EQ(NormalizeTag(tag), tag);
  }
}

TEST(NormalizeTag, MakesCapitalsSmall) {
  EXPECT_EQ(NormalizeTag("Env:PROD"), "env:prod");
  EXPECT_EQ(NormalizeTag("\u00c4rger:\u0416"), "\u00e4rger:\u0436");
  // The small letter has one byte less, or is one already.
  EXPECT_EQ(NormalizeTag("a:\u2126"), "a:\u2126");
  EXPECT_EQ(NormalizeTag("a:\u017f"), "a:\u017f");
}

TEST(NormalizeTag, BeginsWithALetterOrColon) {
  EXPECT_EQ(NormalizeTag("__a"), "a");
  EXPECT_EQ(NormalizeTag("12.-/env:3"), "env:3");
  EXPECT_EQ(NormalizeTag("9:x"), ":x");
  EXPECT_EQ(NormalizeTag("12"), "");
}

TEST(NormalizeTag, PutsOneUnderscoreForAllThatIsBetween) {
  EXPECT_EQ(NormalizeTag("team:web and  shop"), "team:web_and_shop");
  EXPECT_EQ(NormalizeTag("a:1__2"), "a:1_2");
  EXPECT_EQ(NormalizeTag("a:b\U0001f40d\U0001f40dc"), "a:b_c");
  EXPECT_EQ(NormalizeTag("a,b\nc\td"), "a_b_c_d");
  EXPECT_EQ(NormalizeTag(std::string_view("a:b\0c", 5)), "a:b_c");
}

TEST(NormalizeTag, EndsWithoutAnUnderscore) {
  EXPECT_EQ(NormalizeTag("a:b_"), "a:b");
  EXPECT_EQ(NormalizeTag("a:b !\ufffd"), "a:b");
}

TEST(NormalizeTag, TakesWhatIsNotUtf8ForSomethingElse) {
  EXPECT_EQ(NormalizeTag("a:b\xff\xfe"
                         "c"),
            "a:b_c");
  EXPECT_EQ(NormalizeTag("a:\xc3"), "a:");
}

TEST(NormalizeTag, KeepsTwoHundredCharacters) {
  EXPECT_EQ(NormalizeTag(Repeat("a", 1000)), Repeat("a", 200));
  EXPECT_EQ(NormalizeTag(absl::StrCat("__", Repeat("\u00e9", 300))),
            Repeat("\u00e9", 199));  // no more than 400 bytes are looked at
  EXPECT_EQ(NormalizeTag(absl::StrCat("a", Repeat(" ", 300), "b")), "a");
  EXPECT_EQ(NormalizeTag(absl::StrCat(Repeat("a", 199), " b")),
            Repeat("a", 199));
}

TEST(NormalizeTag, ChangesNothingTheSecondTime) {
  for (const std::string& tag :
       {Repeat("A b", 100), Repeat("\u00c9", 500), std::string("1 _x:y_")}) {
    const std::string once = NormalizeTag(tag);
    EXPECT_EQ(NormalizeTag(once), once);
  }
}

TEST(TagKey, IsWhatStandsBeforeTheColon) {
  EXPECT_EQ(TagKey("env:prod:2"), "env");
  EXPECT_EQ(TagKey("lone"), "lone");
  EXPECT_EQ(TagKey(":x"), "");
}

TEST(TagSet, IsInOrder) {
  const TagSet tags({"b:2", "a:1", "lone", "a:0"});
  EXPECT_THAT(tags.tags(), ElementsAre("a:0", "a:1", "b:2", "lone"));
  EXPECT_THAT(ReadCStrings(tags), ElementsAre("a:0", "a:1", "b:2", "lone"));
}

TEST(TagSet, HasEachTagOnceAsItIsNormalised) {
  const TagSet tags({"Env:Prod", "env:prod", "12", "", "a b", "env:prod"});
  EXPECT_THAT(tags.tags(), ElementsAre("a_b", "env:prod"));
}

TEST(TagSet, EndsAnEmptySetWithANullPointer) {
  const TagSet tags;
  EXPECT_THAT(tags.tags(), IsEmpty());
  EXPECT_THAT(ReadCStrings(tags), IsEmpty());
}

TEST(TagSet, KeepsItsPointersWhenMoved) {
  // Short strings lie inside the string object, long ones do not.
  TagSet tags({"z", "a:tag-that-is-too-long-to-lie-inside-its-string-object"});
  char** const pointers = tags.c_strings();
  const TagSet moved = std::move(tags);
  EXPECT_EQ(moved.c_strings(), pointers);
  EXPECT_THAT(
      ReadCStrings(moved),
      ElementsAre("a:tag-that-is-too-long-to-lie-inside-its-string-object",
                  "z"));
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

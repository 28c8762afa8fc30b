#include "lib/config/nearest.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace pycheck {
namespace {

constexpr std::string_view kKnown[] = {"name", "pid", "pid_file", "tags",
                                       "min_collection_interval"};

TEST(NearestWord, FindsAWordWithALetterMissing) {
  EXPECT_EQ(NearestWord("tag", kKnown), "tags");
}

TEST(NearestWord, FindsAWordWithALetterTooMuch) {
  EXPECT_EQ(NearestWord("names", kKnown), "name");
}

TEST(NearestWord, FindsAWordWithAWrongLetter) {
  EXPECT_EQ(NearestWord("pod", kKnown), "pid");
}

TEST(NearestWord, FindsALongWordWithSeveralMistakes) {
  EXPECT_EQ(NearestWord("minimum_colection_intervall", kKnown),
            "min_collection_interval");
}

TEST(NearestWord, FindsTheWordItself) {
  EXPECT_EQ(NearestWord("pid_file", kKnown), "pid_file");
}

TEST(NearestWord, TakesTheNearestOfTwo) {
  constexpr std::string_view kAlike[] = {"search_strings", "search_string"};
  EXPECT_EQ(NearestWord("search_strin", kAlike), "search_string");
}

TEST(NearestWord, FindsNothingForAWordUnlikeAll) {
  EXPECT_EQ(NearestWord("hostname", kKnown), std::nullopt);
}

TEST(NearestWord, DoesNotReplaceMostOfAShortWord) {
  EXPECT_EQ(NearestWord("ppp", kKnown), std::nullopt);
}

TEST(NearestWord, FindsNothingForTheEmptyWord) {
  EXPECT_EQ(NearestWord("", kKnown), std::nullopt);
}

TEST(NearestWord, FindsNothingAmongNoWords) {
  EXPECT_EQ(NearestWord("name", {}), std::nullopt);
}

TEST(NearestWord, DoesNotLookForAnEndlessWord) {
  const std::string word(1'000, 'a');
  const std::string_view known[] = {word};
  EXPECT_EQ(NearestWord(word, known), std::nullopt);
}

}  // namespace
}  // namespace pycheck

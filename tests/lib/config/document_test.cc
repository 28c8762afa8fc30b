#include "lib/config/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

Document Yaml(std::string_view text) {
  const absl::StatusOr<Document> document = ParseYaml(text);
  EXPECT_THAT(document, IsOk());
  return document.ok() ? *document : Document("(not parsed)");
}

auto IsTooLarge() {
  return StatusIs(StatusCode::kInvalidArgument,
                  "the configuration is too large: at most 1048576 bytes, 32 "
                  "levels and 100000 values (aliases counted where they are "
                  "used)");
}

struct Scalar {
  const char* text;
  Document value;
};

void PrintTo(const Scalar& scalar, std::ostream* stream) {
  *stream << scalar.text;
}

class PlainScalar : public testing::TestWithParam<Scalar> {};

TEST_P(PlainScalar, IsResolved) {
  const Document document = Yaml(absl::StrCat("key: ", GetParam().text, "\n"));
  EXPECT_EQ(document["key"], GetParam().value);
  EXPECT_EQ(document["key"].type(), GetParam().value.type());
}

INSTANTIATE_TEST_SUITE_P(
    Null, PlainScalar,
    testing::Values(Scalar{"", nullptr}, Scalar{"~", nullptr},
                    Scalar{"null", nullptr}, Scalar{"Null", nullptr},
                    Scalar{"NULL", nullptr}, Scalar{"nULL", "nULL"}));

INSTANTIATE_TEST_SUITE_P(
    Boolean, PlainScalar,
    testing::Values(Scalar{"true", true}, Scalar{"True", true},
                    Scalar{"TRUE", true}, Scalar{"yes", true},
                    Scalar{"Yes", true}, Scalar{"on", true}, Scalar{"ON", true},
                    Scalar{"false", false}, Scalar{"no", false},
                    Scalar{"NO", false}, Scalar{"off", false},
                    Scalar{"Off", false}, Scalar{"tRUE", "tRUE"},
                    Scalar{"yEs", "yEs"}, Scalar{"y", "y"}, Scalar{"n", "n"}));

INSTANTIATE_TEST_SUITE_P(
    Integer, PlainScalar,
    testing::Values(Scalar{"0", 0}, Scalar{"7", 7}, Scalar{"-12", -12},
                    Scalar{"+12", 12}, Scalar{"9223372036854775807", INT64_MAX},
                    Scalar{"9223372036854775808", "9223372036854775808"},
                    Scalar{"007", "007"}, Scalar{"0x10", "0x10"},
                    Scalar{"1_000", "1_000"}, Scalar{"12:30", "12:30"},
                    Scalar{"1 2", "1 2"}, Scalar{"--1", "--1"}));

INSTANTIATE_TEST_SUITE_P(
    Float, PlainScalar,
    testing::Values(Scalar{"0.5", 0.5}, Scalar{"-1.25", -1.25},
                    Scalar{"+.5", 0.5}, Scalar{"15.", 15.0},
                    Scalar{"1.5e+3", 1500.0}, Scalar{"1.2.3", "1.2.3"},
                    Scalar{"1e3", "1e3"}, Scalar{".", "."},
                    Scalar{".inf", ".inf"}, Scalar{".nan", ".nan"}));

INSTANTIATE_TEST_SUITE_P(Text, PlainScalar,
                         testing::Values(Scalar{"web-1", "web-1"},
                                         Scalar{"a b", "a b"},
                                         Scalar{"a#b", "a#b"},
                                         Scalar{"env:prod", "env:prod"},
                                         Scalar{"2026-01-02", "2026-01-02"}));

TEST(ParseYaml, KeepsQuotedScalarsStrings) {
  EXPECT_EQ(Yaml("[\"yes\", 'no', \"12\", '1.5', \"\", \"null\", '~']"),
            Document({"yes", "no", "12", "1.5", "", "null", "~"}));
}

TEST(ParseYaml, KeepsBlockScalarsStrings) {
  EXPECT_EQ(Yaml("a: |-\n  12\nb: >-\n  yes\n"),
            Document({{"a", "12"}, {"b", "yes"}}));
}

TEST(ParseYaml, KeepsKeysStrings) {
  EXPECT_EQ(Yaml("1: a\nyes: b\n"), Document({{"1", "a"}, {"yes", "b"}}));
}

TEST(ParseYaml, ReadsAnInstance) {
  EXPECT_EQ(Yaml("# comment\nname: web\nsearch_string:\n  - gunicorn\n"
                 "  - \"uwsgi: x\"\nexact_match: no\ntags: {}\n"),
            Document({{"name", "web"},
                      {"search_string", {"gunicorn", "uwsgi: x"}},
                      {"exact_match", false},
                      {"tags", Document::object()}}));
}

TEST(ParseYaml, KeepsTextThatIsNotAscii) {
  EXPECT_EQ(Yaml("name: caf\xc3\xa9 \xf0\x9f\x90\x8d"),
            Document({{"name", "caf\xc3\xa9 \xf0\x9f\x90\x8d"}}));
}

TEST(ParseYaml, GivesNullForATextWithoutContent) {
  for (const char* text : {"", "\n\n", "# a comment\n", "---\n", "{}"}) {
    EXPECT_TRUE(Yaml(text).empty()) << text;
  }
  EXPECT_TRUE(Yaml("").is_null());
}

TEST(ParseYaml, CopiesWhatAnAliasNames) {
  EXPECT_EQ(Yaml("a: &x [1, 2]\nb: *x\n"),
            Document({{"a", {1, 2}}, {"b", {1, 2}}}));
}

TEST(ParseYaml, RefusesAKeyThatStandsTwice) {
  EXPECT_THAT(ParseYaml("name: a\npid: 1\nname: b\n"),
              StatusIs(StatusCode::kInvalidArgument,
                       "not valid YAML: line 3, column 1: the key \"name\" "
                       "stands twice"));
}

TEST(ParseYaml, RefusesAKeyThatIsAList) {
  EXPECT_THAT(ParseYaml("a: 1\n? [b, c]\n: 2\n"),
              StatusIs(StatusCode::kInvalidArgument,
                       "not valid YAML: line 2, column 3: a key that is not a "
                       "word"));
}

TEST(ParseYaml, RefusesASecondDocument) {
  EXPECT_THAT(
      ParseYaml("a: 1\n---\nb: 2\n"),
      StatusIs(StatusCode::kInvalidArgument,
               HasSubstr("line 3, column 1: a second document begins")));
}

TEST(ParseYaml, RefusesAMistakeInASecondDocument) {
  EXPECT_THAT(ParseYaml("a: 1\n---\n[\n"),
              HasCode(StatusCode::kInvalidArgument));
}

TEST(ParseYaml, NamesTheLineOfATab) {
  EXPECT_THAT(ParseYaml("a: 1\nb:\n\tc: 2\n"),
              StatusIs(StatusCode::kInvalidArgument,
                       "not valid YAML: line 3, column 1: found character that "
                       "cannot start any token"));
}

TEST(ParseYaml, NamesTheLineOfAnOpenQuote) {
  EXPECT_THAT(ParseYaml("a: 1\nb: \"x\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("line 3")));
}

TEST(ParseYaml, NamesTheLineOfBadUtf8) {
  EXPECT_THAT(ParseYaml("a: 1\nb: 2\nc: \xff\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("line 3")));
}

TEST(ParseYaml, NamesTheLineOfAControlCharacter) {
  EXPECT_THAT(ParseYaml("a: 1\nb: \x01\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("line 2")));
}

TEST(ParseYaml, RefusesAnUnknownAlias) {
  EXPECT_THAT(ParseYaml("a: *nothing\n"),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("found undefined alias")));
}

TEST(ParseYaml, RefusesAnAliasThatHoldsItself) {
  EXPECT_THAT(ParseYaml("a: &x [*x]\n"), HasCode(StatusCode::kInvalidArgument));
  EXPECT_THAT(ParseYaml("&x a: *x\n"), IsOk());
}

TEST(ParseYaml, StopsAliasesThatMultiply) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i <= 9; ++i) {
    const std::string alias = absl::StrCat("*a", i - 1);
    absl::StrAppend(&text, "a", i, ": &a", i, " [", alias);
    for (int j = 1; j < 9; ++j) absl::StrAppend(&text, ", ", alias);
    absl::StrAppend(&text, "]\n");
  }
  EXPECT_THAT(ParseYaml(text), IsTooLarge());
}

// A list in a list, `levels` deep in all.
std::string Nested(int levels) {
  return std::string(levels, '[') + std::string(levels, ']');
}

TEST(ParseYaml, TakesTheDeepestNesting) {
  EXPECT_THAT(ParseYaml(Nested(kMaxDocumentDepth)), IsOk());
}

TEST(ParseYaml, RefusesDeeperNesting) {
  EXPECT_THAT(ParseYaml(Nested(kMaxDocumentDepth + 2)), IsTooLarge());
  EXPECT_THAT(ParseYaml(Nested(10'000)), HasCode(StatusCode::kInvalidArgument));
}

TEST(ParseYaml, RefusesNestingThatNeverEnds) {
  EXPECT_THAT(ParseYaml(std::string(10'000, '[')),
              HasCode(StatusCode::kInvalidArgument));
  EXPECT_THAT(ParseYaml(std::string(10'000, '{')),
              HasCode(StatusCode::kInvalidArgument));
  std::string blocks;
  for (int i = 0; i < 1'000; ++i) blocks += std::string(i, ' ') + "a:\n";
  EXPECT_THAT(ParseYaml(blocks), HasCode(StatusCode::kInvalidArgument));
}

TEST(ParseYaml, TakesTheMostBytes) {
  std::string text = "a: ";
  text.append(kMaxDocumentBytes - text.size(), 'x');
  EXPECT_THAT(ParseYaml(text), IsOk());
  EXPECT_THAT(ParseYaml(text + "x"), IsTooLarge());
}

TEST(ParseYaml, RefusesAHugeText) {
  EXPECT_THAT(ParseYaml(std::string(10'000'000, 'a')), IsTooLarge());
}

TEST(ParseYaml, RefusesTooManyValues) {
  std::string text;
  for (int i = 0; i < kMaxDocumentNodes; ++i) text += "- a\n";
  EXPECT_THAT(ParseYaml(text), IsTooLarge());
}

TEST(ParseJson, ReadsEveryType) {
  EXPECT_EQ(*ParseJson(R"({"a": [null, true, -3, 1.5, "yes"], "b": {}})"),
            Document({{"a", {nullptr, true, -3, 1.5, "yes"}},
                      {"b", Document::object()}}));
}

class BadJson : public testing::TestWithParam<const char*> {};

TEST_P(BadJson, IsRefused) {
  EXPECT_THAT(ParseJson(GetParam()), HasCode(StatusCode::kInvalidArgument));
}

INSTANTIATE_TEST_SUITE_P(ParseJson, BadJson,
                         testing::Values("", "{", "{\"a\": 1} x", "NaN",
                                         "{\"a\": Infinity}", "'a'", "\"\xff\"",
                                         "01", "1e999"));

TEST(ParseJson, RefusesAHugeText) {
  EXPECT_THAT(ParseJson('"' + std::string(kMaxDocumentBytes, 'a') + '"'),
              IsTooLarge());
}

TEST(ParseJson, RefusesDeepNesting) {
  EXPECT_THAT(ParseJson(Nested(kMaxDocumentDepth)), IsOk());
  EXPECT_THAT(ParseJson(Nested(kMaxDocumentDepth + 2)).status(), IsTooLarge());
  EXPECT_THAT(ParseJson(Nested(100'000)).status(), IsTooLarge());
}

TEST(ParseJson, RefusesTooManyValues) {
  std::string text = "[0";
  for (int i = 0; i < kMaxDocumentNodes; ++i) text += ",0";
  EXPECT_THAT(ParseJson(text + "]").status(), IsTooLarge());
}

TEST(ParseYaml, TakesAViewOfNothingForAnEmptyText) {
  const absl::StatusOr<Document> document = ParseYaml(std::string_view());
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_TRUE(document->is_null());
}

}  // namespace
}  // namespace pycheck

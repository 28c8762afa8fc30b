#include "lib/config/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

absl::StatusOr<Options> Parsed(const std::string& instance,
                               const std::string& init_config = "") {
  const absl::StatusOr<Document> init_document = ParseYaml(init_config);
  const absl::StatusOr<Document> instance_document = ParseYaml(instance);
  EXPECT_THAT(init_document, IsOk());
  EXPECT_THAT(instance_document, IsOk());
  return ParseOptions(*init_document, *instance_document);
}

// An instance that is right but for what is added to it.
absl::StatusOr<Options> ParsedWith(const std::string& lines) {
  return Parsed("name: web\npid: 1\n" + lines);
}

template <typename T>
auto IsInvalid(const T& message) {
  return StatusIs(StatusCode::kInvalidArgument, message);
}

bool IsValidUtf8(const std::string& text) {
  return ParseJson(Document(text).dump(-1, ' ', false,
                                       Document::error_handler_t::replace))
             .value() == text;
}

TEST(ParseOptions, GivesDefaults) {
  const absl::StatusOr<Options> options = Parsed("name: web\npid: 1");
  ASSERT_THAT(options, IsOk());
  EXPECT_EQ(options->name, "web");
  EXPECT_THAT(options->tags, IsEmpty());
  EXPECT_EQ(options->min_collection_interval, absl::Seconds(15));
  EXPECT_EQ(options->procfs_path, "");
}

TEST(ParseOptions, TakesOptionsGivenAsNullForNotGiven) {
  const absl::StatusOr<Options> options = Parsed(
      "name: web\npid: 1\npid_file:\nsearch_string: null\nexact_match: ~\n"
      "tags:\nmin_collection_interval:\nservice:\nloader:\n",
      "procfs_path:\nservice:\n");
  ASSERT_THAT(options, IsOk());
  EXPECT_EQ(std::get<PidSelector>(options->selector).pid, 1);
  EXPECT_THAT(options->tags, IsEmpty());
  EXPECT_EQ(options->min_collection_interval, absl::Seconds(15));
  EXPECT_EQ(options->procfs_path, "");
}

TEST(ParseOptions, LeavesTheAgentsOwnOptionsToIt) {
  EXPECT_THAT(Parsed("name: web\npid: 1\nloader: python\nservice: web\n"
                     "empty_default_hostname: true\n",
                     "service: web\nloader: sharedlibrary\n"),
              IsOk());
}

TEST(ParseOptions, RefusesWhatIsNoSetOfOptions) {
  EXPECT_THAT(Parsed("- name: web"),
              IsInvalid("instance: [{\"name\":\"web\"}] is not a set of "
                        "options; write \"option: value\" lines"));
  EXPECT_THAT(Parsed("name: web\npid: 1", "procfs"),
              IsInvalid("init_config: \"procfs\" is not a set of options; "
                        "write \"option: value\" lines"));
}

TEST(ParseOptions, SuggestsTheOptionThatWasMeant) {
  EXPECT_THAT(Parsed("name: web\nsearch_strings: [x]"),
              IsInvalid("instance option \"search_strings\" is not known; did "
                        "you mean \"search_string\"?"));
  EXPECT_THAT(Parsed("name: web\npid: 1", "proc_path: /proc"),
              IsInvalid("init_config option \"proc_path\" is not known; did "
                        "you mean \"procfs_path\"?"));
}

TEST(ParseOptions, ListsTheOptionsWhereNoneIsNear) {
  EXPECT_THAT(
      Parsed("name: web\ncollect_children: true"),
      IsInvalid("instance option \"collect_children\" is not known; "
                "the options are name, search_string, exact_match, "
                "pid, pid_file, tags, min_collection_interval, loader, "
                "service, empty_default_hostname, namespace, no_index"));
}

TEST(ParseOptions, CutsAnUnknownOptionShort) {
  EXPECT_THAT(ParsedWith(std::string(500, 'z') + ": 1"),
              IsInvalid(StartsWith("instance option \"" + std::string(77, 'z') +
                                   "...\" is not known")));
}

TEST(ParseOptions, GivesMessagesThatAreUtf8) {
  std::string snakes;
  for (int i = 0; i < 50; ++i) snakes += "\xf0\x9f\x90\x8d";
  for (const char* before : {"", "a", "aa", "aaa"}) {
    const std::string word = absl::StrCat(before, snakes);
    EXPECT_TRUE(IsValidUtf8(
        std::string(ParsedWith("tags: " + word).status().message())));
    EXPECT_TRUE(
        IsValidUtf8(std::string(ParsedWith(word + ": 1").status().message())));
  }
  EXPECT_TRUE(IsValidUtf8(std::string(
      Parsed("name: web\nexact_match: false\nsearch_string: ['(?\xc3\xa9']")
          .status()
          .message())));
}

TEST(NameOption, IsRequired) {
  const std::string message =
      "instance option \"name\" is required: every gauge carries it as "
      "process_name; write name: my-app";
  EXPECT_THAT(Parsed("pid: 1"), IsInvalid(message));
  EXPECT_THAT(Parsed("name:\npid: 1"), IsInvalid(message));
  EXPECT_THAT(Parsed(""), IsInvalid(message));
}

TEST(NameOption, MustBeAString) {
  EXPECT_THAT(Parsed("name: 12\npid: 1"),
              IsInvalid("instance option \"name\": 12 is not a name; write "
                        "name: my-app (with quotes around a number)"));
  EXPECT_EQ(Parsed("name: \"12\"\npid: 1")->name, "12");
  for (const char* value : {"\"\"", "yes", "[web]", "{a: b}", "1.5"}) {
    EXPECT_THAT(Parsed(absl::StrCat("name: ", value, "\npid: 1")),
                IsInvalid(HasSubstr("is not a name")))
        << value;
  }
}

TEST(SelectorOptions, MustBeGiven) {
  EXPECT_THAT(Parsed("name: web"),
              IsInvalid("instance: no option chooses its processes; give "
                        "exactly one of search_string, pid, pid_file"));
  EXPECT_THAT(Parsed("name: web\nexact_match: true"),
              IsInvalid(HasSubstr("no option chooses its processes")));
}

TEST(SelectorOptions, ExcludeOneAnother) {
  EXPECT_THAT(Parsed("name: web\npid: 1\npid_file: /run/a.pid"),
              IsInvalid("instance: pid and pid_file are both given; give "
                        "exactly one of search_string, pid, pid_file"));
  EXPECT_THAT(Parsed("name: web\nsearch_string: [a]\npid: 1"),
              IsInvalid(StartsWith("instance: search_string and pid are both "
                                   "given")));
}

TEST(PidOption, TakesANumberOrAStringOfOne) {
  for (const char* value : {"1", "4194304", "\"42\""}) {
    EXPECT_THAT(Parsed(absl::StrCat("name: web\npid: ", value)), IsOk())
        << value;
  }
  EXPECT_EQ(std::get<PidSelector>(Parsed("name: w\npid: '42'")->selector).pid,
            42);
}

TEST(PidOption, MustBeAProcessId) {
  EXPECT_THAT(Parsed("name: web\npid: gunicorn"),
              IsInvalid("instance option \"pid\": \"gunicorn\" is not a "
                        "process id; write its number, such as pid: 1234"));
  for (const char* value : {"0", "-1", "4194305", "1.5", "yes", "[1]", "\"\"",
                            "'1 2'", "9223372036854775808", "{a: 1}"}) {
    EXPECT_THAT(Parsed(absl::StrCat("name: web\npid: ", value)),
                IsInvalid(HasSubstr("is not a process id")))
        << value;
  }
}

TEST(PidOption, MustBeAProcessIdInJsonToo) {
  for (const char* value : {"18446744073709551615", "4294967297", "1e3"}) {
    const Document instance =
        *ParseJson(absl::StrCat(R"({"name": "web", "pid": )", value, "}"));
    EXPECT_THAT(ParseOptions(nullptr, instance),
                IsInvalid(HasSubstr("is not a process id")))
        << value;
  }
}

TEST(PidFileOption, TakesAPath) {
  const absl::StatusOr<Options> options =
      Parsed("name: web\npid_file: /run/a b.pid");
  ASSERT_THAT(options, IsOk());
  EXPECT_EQ(std::get<PidFileSelector>(options->selector).path, "/run/a b.pid");
}

TEST(PidFileOption, MustBeAPath) {
  EXPECT_THAT(Parsed("name: web\npid_file: 12"),
              IsInvalid("instance option \"pid_file\": 12 is not a path; write "
                        "pid_file: /run/app.pid"));
  EXPECT_THAT(Parsed("name: web\npid_file: \"\""),
              IsInvalid(HasSubstr("is not a path")));
  EXPECT_THAT(Parsed("name: web\npid_file: [/run/a.pid]"),
              IsInvalid(HasSubstr("is not a path")));
}

TEST(SearchStringOption, GivesNamesUnlessToldOtherwise) {
  for (const char* exact : {"", "exact_match: true\n", "exact_match: yes\n"}) {
    const absl::StatusOr<Options> options = Parsed(
        absl::StrCat("name: web\nsearch_string: [python3, a.b]\n", exact));
    ASSERT_THAT(options, IsOk());
    EXPECT_THAT(std::get<NameSelector>(options->selector).names,
                ElementsAre("python3", "a.b"));
  }
}

TEST(SearchStringOption, GivesPatternsWithoutExactMatch) {
  const absl::StatusOr<Options> options = Parsed(
      "name: web\nexact_match: false\nsearch_string: ['gunicorn.*app', "
      "^uwsgi]");
  ASSERT_THAT(options, IsOk());
  const auto& patterns =
      std::get<CommandLineSelector>(options->selector).patterns;
  ASSERT_EQ(patterns.size(), 2u);
  EXPECT_TRUE(re2::RE2::PartialMatch("x gunicorn \xff app", *patterns[0]));
  EXPECT_FALSE(re2::RE2::PartialMatch("x uwsgi", *patterns[1]));
}

TEST(SearchStringOption, FindsTextThatIsNotAscii) {
  const absl::StatusOr<Options> options =
      Parsed("name: web\nexact_match: no\nsearch_string: [caf\xc3\xa9$]");
  ASSERT_THAT(options, IsOk());
  EXPECT_TRUE(re2::RE2::PartialMatch(
      "caf\xc3\xa9",
      *std::get<CommandLineSelector>(options->selector).patterns[0]));
}

TEST(SearchStringOption, MustBeAListOfStrings) {
  EXPECT_THAT(Parsed("name: web\nsearch_string: gunicorn"),
              IsInvalid("instance option \"search_string\": \"gunicorn\" is "
                        "not a list of names or patterns; write search_string: "
                        "[gunicorn]"));
  for (const char* value :
       {"[1]", "[[a]]", "[a, ~]", "[\"\"]", "{a: b}", "5"}) {
    EXPECT_THAT(Parsed(absl::StrCat("name: web\nsearch_string: ", value)),
                IsInvalid(HasSubstr("is not a list of names or patterns")))
        << value;
  }
}

TEST(SearchStringOption, MustNotBeEmpty) {
  EXPECT_THAT(Parsed("name: web\nsearch_string: []"),
              IsInvalid("instance option \"search_string\": [] is empty, so it "
                        "would match nothing; write search_string: "
                        "[gunicorn]"));
}

TEST(SearchStringOption, MustCompile) {
  EXPECT_THAT(
      Parsed("name: web\nexact_match: false\nsearch_string: [ok, 'a(']"),
      IsInvalid("instance option \"search_string\": [\"ok\",\"a(\"] holds a "
                "pattern that does not compile: missing ): a(. The syntax is "
                "RE2's, which has no lookaround and no backreferences"));
  for (const char* pattern :
       {"(?=a)", "(a)\\1", "*", "[", "a{2,1}", "((a{900}){900}){900}"}) {
    EXPECT_THAT(
        Parsed(absl::StrCat("name: web\nexact_match: false\nsearch_string: ['",
                            pattern, "']")),
        IsInvalid(HasSubstr("holds a pattern that does not compile")))
        << pattern;
  }
}

TEST(ExactMatchOption, MustBeABoolean) {
  EXPECT_THAT(
      Parsed("name: web\nsearch_string: [a]\nexact_match: \"false\""),
      IsInvalid("instance option \"exact_match\": \"false\" is neither true "
                "nor false; write one of them, without quotes"));
  for (const char* value : {"0", "1", "[]", "maybe"}) {
    EXPECT_THAT(Parsed(absl::StrCat(
                    "name: web\nsearch_string: [a]\nexact_match: ", value)),
                IsInvalid(HasSubstr("is neither true nor false")))
        << value;
  }
}

TEST(ExactMatchOption, IsCheckedBesideAnySelector) {
  EXPECT_THAT(ParsedWith("exact_match: maybe"),
              IsInvalid(HasSubstr("is neither true nor false")));
}

TEST(TagsOption, KeepsTheOrder) {
  EXPECT_THAT(ParsedWith("tags: [\"env:prod\", team:web, lone]")->tags,
              ElementsAre("env:prod", "team:web", "lone"));
  EXPECT_THAT(ParsedWith("tags: []")->tags, IsEmpty());
}

TEST(TagsOption, MustBeAListOfStrings) {
  EXPECT_THAT(ParsedWith("tags: {env: prod}"),
              IsInvalid("instance option \"tags\": {\"env\":\"prod\"} is not a "
                        "list of tags; write tags: [\"env:prod\", "
                        "\"team:web\"]"));
  for (const char* value :
       {"env:prod", "[env: prod]", "[1]", "[\"\"]", "[~]"}) {
    EXPECT_THAT(ParsedWith(absl::StrCat("tags: ", value)),
                IsInvalid(HasSubstr("is not a list of tags")))
        << value;
  }
}

TEST(IntervalOption, TakesSeconds) {
  const std::string option = "min_collection_interval: ";
  EXPECT_EQ(ParsedWith(option + "30")->min_collection_interval,
            absl::Seconds(30));
  EXPECT_EQ(ParsedWith(option + "0.5")->min_collection_interval,
            absl::Milliseconds(500));
  EXPECT_EQ(ParsedWith(option + "9223372036854775807")->min_collection_interval,
            absl::InfiniteDuration());
}

TEST(IntervalOption, MustBeANumberAboveZero) {
  EXPECT_THAT(ParsedWith("min_collection_interval: 0"),
              IsInvalid("instance option \"min_collection_interval\": 0 is not "
                        "a number of seconds above zero; write "
                        "min_collection_interval: 15"));
  for (const char* value :
       {"-1", "-0.5", "0.0", "15s", "\"15\"", "yes", "[15]", ".nan", ".inf"}) {
    EXPECT_THAT(ParsedWith(absl::StrCat("min_collection_interval: ", value)),
                IsInvalid(HasSubstr("is not a number of seconds above zero")))
        << value;
  }
}

TEST(IntervalOption, MustNotBeNan) {
  const Document instance = {
      {"name", "web"},
      {"pid", 1},
      {"min_collection_interval", std::numeric_limits<double>::quiet_NaN()}};
  EXPECT_THAT(ParseOptions(nullptr, instance),
              IsInvalid(HasSubstr("is not a number of seconds above zero")));
}

TEST(ProcfsPathOption, TakesAPath) {
  EXPECT_EQ(Parsed("name: web\npid: 1", "procfs_path: /host/proc")->procfs_path,
            "/host/proc");
}

TEST(ProcfsPathOption, MustBeAPath) {
  EXPECT_THAT(Parsed("name: web\npid: 1", "procfs_path: 5"),
              IsInvalid("init_config option \"procfs_path\": 5 is not a path; "
                        "write procfs_path: /host/proc"));
  EXPECT_THAT(Parsed("name: web\npid: 1", "procfs_path: \"\""),
              IsInvalid(HasSubstr("is not a path")));
}

TEST(ParseOptions, CutsAValueShort) {
  EXPECT_THAT(ParsedWith("tags: " + std::string(500, 'x')),
              IsInvalid(StartsWith("instance option \"tags\": \"" +
                                   std::string(76, 'x') + "... is not")));
}

}  // namespace
}  // namespace pycheck

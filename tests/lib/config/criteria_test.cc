#include "lib/config/criteria.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

absl::StatusOr<Criteria> Parsed(const std::string& yaml) {
  const absl::StatusOr<Document> instance = ParseYaml(yaml);
  EXPECT_THAT(instance, IsOk());
  const Document nothing = Document::object();
  return ParseCriteria(
      Section("instance", instance->is_null() ? nothing : *instance));
}

template <typename T>
auto IsInvalid(const T& message) {
  return StatusIs(StatusCode::kInvalidArgument, message);
}

TEST(ParseCriteria, GivesDefaults) {
  const absl::StatusOr<Criteria> criteria = Parsed("pid: 1");
  ASSERT_THAT(criteria, IsOk());
  EXPECT_FALSE(criteria->collect_children);
  EXPECT_EQ(criteria->user, "");
  EXPECT_THAT(criteria->exclude, IsEmpty());
}

TEST(SelectorOptions, MustBeGiven) {
  EXPECT_THAT(
      Parsed(""),
      IsInvalid("instance: no option chooses its processes; give "
                "exactly one of search_string, pid, pid_file, discover, "
                "service_unit, container_id, pod_uid"));
  EXPECT_THAT(Parsed("exact_match: true"),
              IsInvalid(HasSubstr("no option chooses its processes")));
}

TEST(SelectorOptions, ExcludeOneAnother) {
  EXPECT_THAT(
      Parsed("pid: 1\npid_file: /run/a.pid"),
      IsInvalid("instance: pid and pid_file are both given; give "
                "exactly one of search_string, pid, pid_file, discover, "
                "service_unit, container_id, pod_uid"));
  EXPECT_THAT(Parsed("search_string: [a]\npid: 1"),
              IsInvalid(StartsWith("instance: search_string and pid are both "
                                   "given")));
}

TEST(PidOption, TakesANumberOrAStringOfOne) {
  for (const char* value : {"1", "4194304", "\"42\""}) {
    EXPECT_THAT(Parsed(absl::StrCat("pid: ", value)), IsOk()) << value;
  }
  EXPECT_EQ(std::get<PidSelector>(Parsed("pid: '42'")->selector).pid, 42);
}

TEST(PidOption, MustBeAProcessId) {
  EXPECT_THAT(Parsed("pid: gunicorn"),
              IsInvalid("instance option \"pid\": \"gunicorn\" is not a "
                        "process id; write its number, such as pid: 1234"));
  for (const char* value : {"0", "-1", "4194305", "1.5", "yes", "[1]", "\"\"",
                            "'1 2'", "9223372036854775808", "{a: 1}"}) {
    EXPECT_THAT(Parsed(absl::StrCat("pid: ", value)),
                IsInvalid(HasSubstr("is not a process id")))
        << value;
  }
}

TEST(PidOption, MustBeAProcessIdInJsonToo) {
  for (const char* value : {"18446744073709551615", "4294967297", "1e3"}) {
    const Document instance =
        *ParseJson(absl::StrCat(R"({"pid": )", value, "}"));
    EXPECT_THAT(ParseCriteria(Section("instance", instance)),
                IsInvalid(HasSubstr("is not a process id")))
        << value;
  }
}

TEST(PidFileOption, TakesAPath) {
  const absl::StatusOr<Criteria> criteria = Parsed("pid_file: /run/a b.pid");
  ASSERT_THAT(criteria, IsOk());
  EXPECT_EQ(std::get<PidFileSelector>(criteria->selector).path, "/run/a b.pid");
}

TEST(PidFileOption, MustBeAPath) {
  EXPECT_THAT(Parsed("pid_file: 12"),
              IsInvalid("instance option \"pid_file\": 12 is not a path; write "
                        "pid_file: /run/app.pid"));
  EXPECT_THAT(Parsed("pid_file: \"\""), IsInvalid(HasSubstr("is not a path")));
  EXPECT_THAT(Parsed("pid_file: [/run/a.pid]"),
              IsInvalid(HasSubstr("is not a path")));
}

TEST(SearchStringOption, GivesNamesUnlessToldOtherwise) {
  for (const char* exact : {"", "exact_match: true\n", "exact_match: yes\n"}) {
    const absl::StatusOr<Criteria> criteria =
        Parsed(absl::StrCat("search_string: [python3, a.b]\n", exact));
    ASSERT_THAT(criteria, IsOk());
    EXPECT_THAT(std::get<NameSelector>(criteria->selector).names,
                ElementsAre("python3", "a.b"));
  }
}

TEST(SearchStringOption, GivesPatternsWithoutExactMatch) {
  const absl::StatusOr<Criteria> criteria = Parsed(
      "exact_match: false\nsearch_string: ['gunicorn.*app', "
      "^uwsgi]");
  ASSERT_THAT(criteria, IsOk());
  const auto& patterns =
      std::get<CommandLineSelector>(criteria->selector).patterns;
  ASSERT_EQ(patterns.size(), 2u);
  EXPECT_TRUE(re2::RE2::PartialMatch("x gunicorn - app", *patterns[0]));
  EXPECT_FALSE(re2::RE2::PartialMatch("x uwsgi", *patterns[1]));
}

TEST(SearchStringOption, FindsTextThatIsNotAscii) {
  const absl::StatusOr<Criteria> criteria =
      Parsed("exact_match: no\nsearch_string: [caf\xc3\xa9$]");
  ASSERT_THAT(criteria, IsOk());
  EXPECT_TRUE(re2::RE2::PartialMatch(
      "caf\xc3\xa9",
      *std::get<CommandLineSelector>(criteria->selector).patterns[0]));
}

TEST(SearchStringOption, MustBeAListOfStrings) {
  EXPECT_THAT(Parsed("search_string: gunicorn"),
              IsInvalid("instance option \"search_string\": \"gunicorn\" is "
                        "not a list of names or patterns; write search_string: "
                        "[gunicorn]"));
  for (const char* value :
       {"[1]", "[[a]]", "[a, ~]", "[\"\"]", "{a: b}", "5"}) {
    EXPECT_THAT(Parsed(absl::StrCat("search_string: ", value)),
                IsInvalid(HasSubstr("is not a list of names or patterns")))
        << value;
  }
}

TEST(SearchStringOption, MustNotBeEmpty) {
  EXPECT_THAT(Parsed("search_string: []"),
              IsInvalid("instance option \"search_string\": [] is empty, so it "
                        "would match nothing; write search_string: "
                        "[gunicorn]"));
}

TEST(SearchStringOption, MustCompile) {
  EXPECT_THAT(
      Parsed("exact_match: false\nsearch_string: [ok, 'a(']"),
      IsInvalid("instance option \"search_string\": [\"ok\",\"a(\"] holds a "
                "pattern that does not compile: missing ): a(. The syntax is "
                "RE2's, which of Python's lacks lookaround, backreferences, "
                "conditionals, possessive quantifiers and \\Z (write \\z)"));
  for (const char* pattern :
       {"(?=a)", "(?<!a)b", "(a)?(?(1)b|c)", "a++", "a\\Z", "(a)\\1", "*", "[",
        "a{2,1}", "((a{900}){900}){900}"}) {
    EXPECT_THAT(Parsed(absl::StrCat("exact_match: false\nsearch_string: ['",
                                    pattern, "']")),
                IsInvalid(HasSubstr("holds a pattern that does not compile")))
        << pattern;
  }
}

// Such a pattern could take minutes of a long command line.
TEST(SearchStringOption, MustNotBeTooLarge) {
  EXPECT_THAT(
      Parsed("exact_match: false\nsearch_string: ['a.{900}b.*zz']"),
      IsInvalid("instance option \"search_string\": [\"a.{900}b.*zz\"] holds a "
                "pattern that is too large: write several smaller ones, or "
                "fewer repetitions"));
  EXPECT_THAT(Parsed("exact_match: false\nsearch_string: ['gunicorn: "
                     "(master|worker) \\[[\\w.-]{1,40}\\]']"),
              IsOk());
}

TEST(ExactMatchOption, MustBeABoolean) {
  EXPECT_THAT(
      Parsed("search_string: [a]\nexact_match: \"false\""),
      IsInvalid("instance option \"exact_match\": \"false\" is neither true "
                "nor false; write one of them, without quotes"));
  for (const char* value : {"0", "1", "[]", "maybe"}) {
    EXPECT_THAT(
        Parsed(absl::StrCat("search_string: [a]\nexact_match: ", value)),
        IsInvalid(HasSubstr("is neither true nor false")))
        << value;
  }
}

TEST(ExactMatchOption, IsCheckedBesideAnySelector) {
  EXPECT_THAT(Parsed("pid: 1\nexact_match: maybe"),
              IsInvalid(HasSubstr("is neither true nor false")));
}

TEST(SearchStringOption, HasNoWordForEveryProcess) {
  EXPECT_THAT(Parsed("search_string: [All]"),
              IsInvalid("instance option \"search_string\": [\"All\"] holds "
                        "\"All\", which to the process check means every "
                        "process; write discover: all instead"));
}

TEST(DiscoverOption, IsAll) {
  EXPECT_TRUE(std::holds_alternative<DiscoverSelector>(
      Parsed("discover: all")->selector));
  EXPECT_THAT(Parsed("discover: true"),
              IsInvalid("instance option \"discover\": true is not known; "
                        "write discover: all, for every process that holds a "
                        "Python"));
}

TEST(ServiceUnitOption, IsAServiceUnlessItSaysOtherwise) {
  const auto unit = [](const std::string& name) {
    return std::get<ServiceUnitSelector>(
               Parsed("service_unit: " + name)->selector)
        .unit;
  };
  EXPECT_EQ(unit("app"), "app.service");
  EXPECT_EQ(unit("celery@1.service"), "celery@1.service");
  EXPECT_EQ(unit("session-1.scope"), "session-1.scope");
  EXPECT_THAT(Parsed("service_unit: /etc/systemd/system/app.service"),
              IsInvalid(HasSubstr("is a path; write the unit's name")));
  EXPECT_THAT(Parsed("service_unit: [app]"),
              IsInvalid(HasSubstr("is not the name of a unit")));
}

TEST(ContainerIdOption, IsAnIdOrTheBeginningOfOne) {
  EXPECT_EQ(std::get<ContainerSelector>(
                Parsed("container_id: 0123456789AB")->selector)
                .id,
            "0123456789ab");
  for (const std::string& value :
       {std::string("0123456789a"), std::string("0123456789xy"),
        std::string("my-container"), std::string("123456789012"),
        std::string(65, 'a')}) {
    EXPECT_THAT(Parsed("container_id: " + value),
                IsInvalid(HasSubstr("is not a container's id; write 12 to 64 "
                                    "of its hexadecimal digits")))
        << value;
  }
  EXPECT_THAT(Parsed("container_id: \"123456789012\""), IsOk());
}

TEST(PodUidOption, IsAUid) {
  const std::string uid = "2d3da189-6407-48e3-9ab6-78188d75e609";
  EXPECT_EQ(std::get<PodSelector>(Parsed("pod_uid: " + uid)->selector).uid,
            uid);
  // Of a static pod.
  EXPECT_THAT(Parsed("pod_uid: " + std::string(32, 'A')), IsOk());
  for (const std::string& value :
       {std::string("web-1"), uid + "0", uid.substr(1), std::string("1"),
        std::string("\"%%kube_pod_uid%%\"")}) {
    EXPECT_THAT(Parsed("pod_uid: " + value),
                IsInvalid(HasSubstr("is not a pod's uid; write that of the "
                                    "pod's metadata")))
        << value;
  }
}

TEST(UserOption, IsANameOrANumber) {
  EXPECT_EQ(Parsed("pid: 1\nuser: www-data")->user, "www-data");
  EXPECT_EQ(Parsed("pid: 1\nuser: 1000")->user, "1000");
  for (const char* value : {"-1", "[root]", "yes", "\"\""}) {
    EXPECT_THAT(Parsed(absl::StrCat("pid: 1\nuser: ", value)),
                IsInvalid(HasSubstr("is not a user; write user: www-data")))
        << value;
  }
}

TEST(CollectChildrenOption, IsTrueOrFalse) {
  EXPECT_TRUE(Parsed("pid: 1\ncollect_children: true")->collect_children);
  EXPECT_THAT(Parsed("pid: 1\ncollect_children: all"),
              IsInvalid(HasSubstr("is neither true nor false")));
}

TEST(ExcludeOption, IsAListOfPatterns) {
  EXPECT_THAT(Parsed("discover: all\nexclude: [celery, '^/usr/bin']")->exclude,
              SizeIs(2));
  EXPECT_THAT(Parsed("discover: all\nexclude: celery"),
              IsInvalid(HasSubstr("is not a list of patterns; write exclude: "
                                  "[celery]")));
  EXPECT_THAT(Parsed("discover: all\nexclude: ['(']"),
              IsInvalid(StartsWith("instance option \"exclude\": [\"(\"] holds "
                                   "a pattern that does not compile")));
}

}  // namespace
}  // namespace pycheck

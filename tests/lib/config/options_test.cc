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
using testing::AllOf;
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
  EXPECT_FALSE(options->thresholds);
  EXPECT_TRUE(options->ignore_denied_access);
  EXPECT_EQ(options->limit, 5000);
  EXPECT_EQ(options->aggregation, Aggregation::kPerProcess);
  EXPECT_TRUE(options->tag_by.pid);
  EXPECT_FALSE(options->tag_by.parent);
  EXPECT_FALSE(options->tag_by.user);
  EXPECT_FALSE(options->tag_by.command);
  EXPECT_FALSE(options->tag_by.container);
  EXPECT_FALSE(options->tag_by.tracer);
  EXPECT_EQ(options->time_budget, absl::Seconds(3));
  EXPECT_THAT(options->notes, IsEmpty());
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
  EXPECT_EQ(std::get<PidSelector>(options->criteria.selector).pid, 1);
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

TEST(ParseOptions, KnowsWhetherTheAgentAddsAService) {
  EXPECT_FALSE(ParsedWith("service:")->has_service);
  EXPECT_TRUE(ParsedWith("service: web")->has_service);
  EXPECT_TRUE(Parsed("name: web\npid: 1", "service: web")->has_service);
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
      Parsed("name: web\nwhatever: true"),
      IsInvalid("instance option \"whatever\" is not known; the options are "
                "name, search_string, exact_match, pid, pid_file, discover, "
                "service_unit, container_id, pod_uid, exclude, user, "
                "collect_children, "
                "thresholds, ignore_denied_access, limit, aggregation, tag_by, "
                "tag_cardinality, tracer_runtime_metrics, tags, "
                "min_collection_interval, "
                "time_budget, loader, service, "
                "empty_default_hostname, namespace, no_index"));
}

// A configuration of the process check is taken as it is.
TEST(ParseOptions, TakesOptionsThatMeanSomethingToTheProcessCheckOnly) {
  const absl::StatusOr<Options> options =
      Parsed("name: web\npid: 1\ntry_sudo: true\nuse_oneshot:\n",
             "pid_cache_duration: 60\naccess_denied_cache_duration: 60\n"
             "shared_process_list_cache_duration: 60\n"
             "reset_cache_on_process_changes: false\n");
  ASSERT_THAT(options, IsOk());
  EXPECT_THAT(
      options->notes,
      ElementsAre(
          "init_config option \"pid_cache_duration\" belongs to the process "
          "check and has no effect here; remove it",
          StartsWith("init_config option \"access_denied_cache_duration\""),
          StartsWith(
              "init_config option \"shared_process_list_cache_duration\""),
          StartsWith("init_config option \"reset_cache_on_process_changes\""),
          StartsWith("instance option \"try_sudo\"")));
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

TEST(ThresholdsOption, HasTwoRanges) {
  const auto thresholds =
      ParsedWith("thresholds: {warning: [2, 5], critical: [1, 10.0]}")
          ->thresholds;
  ASSERT_TRUE(thresholds);
  EXPECT_EQ(thresholds->warning.least, 2);
  EXPECT_EQ(thresholds->warning.most, 5);
  EXPECT_EQ(thresholds->critical.least, 1);
  EXPECT_EQ(thresholds->critical.most, 10);
}

TEST(ThresholdsOption, TakesOneProcessOrMoreForARangeThatIsNotGiven) {
  const auto thresholds =
      ParsedWith("thresholds: {critical: [3, 7]}")->thresholds;
  ASSERT_TRUE(thresholds);
  EXPECT_EQ(thresholds->warning.least, 1);
  EXPECT_EQ(thresholds->warning.most, std::numeric_limits<double>::infinity());
  EXPECT_FALSE(ParsedWith("thresholds:")->thresholds);
  EXPECT_FALSE(ParsedWith("thresholds: {}")->thresholds);
}

TEST(ThresholdsOption, MustBeRanges) {
  EXPECT_THAT(ParsedWith("thresholds: 5"),
              IsInvalid("instance option \"thresholds\": 5 is not a set of "
                        "ranges; write thresholds: {warning: [1, 8], critical: "
                        "[1, 16]}, the least and the greatest number of "
                        "processes"));
  EXPECT_THAT(ParsedWith("thresholds: {warn: [1, 2]}"),
              IsInvalid(HasSubstr("is not a set of ranges")));
  EXPECT_THAT(
      ParsedWith("thresholds: {warning: [5, 2]}"),
      IsInvalid("instance option \"thresholds\": {\"warning\":[5,2]} has a "
                "range \"warning\" that is not two numbers, the first at most "
                "as great as the second; write warning: [1, 8]"));
  for (const char* range :
       {"5", "[]", "[1]", "[1, 2, 3]", "[1, x]", "[-1, 2]", "[~, 2]", "{}"}) {
    EXPECT_THAT(ParsedWith(absl::StrCat("thresholds: {critical: ", range, "}")),
                IsInvalid(HasSubstr("that is not two numbers")))
        << range;
  }
}

TEST(IgnoreDeniedAccessOption, IsTrueOrFalse) {
  EXPECT_FALSE(ParsedWith("ignore_denied_access: false")->ignore_denied_access);
  EXPECT_THAT(ParsedWith("ignore_denied_access: 5"),
              IsInvalid(HasSubstr("is neither true nor false")));
}

TEST(LimitOption, IsANumberOfProcesses) {
  EXPECT_EQ(ParsedWith("limit: 1")->limit, 1);
  EXPECT_EQ(ParsedWith("limit: \"20000\"")->limit, 20000);
  EXPECT_THAT(ParsedWith("limit: 0"),
              IsInvalid("instance option \"limit\": 0 is not a number of "
                        "processes above zero; write limit: 5000"));
  for (const char* value : {"-1", "many", "1.5", "[1]", "4194305"}) {
    EXPECT_THAT(ParsedWith(absl::StrCat("limit: ", value)),
                IsInvalid(HasSubstr("is not a number of processes")))
        << value;
  }
}

TEST(AggregationOption, IsPerProcessOrSum) {
  EXPECT_EQ(ParsedWith("aggregation: per_process")->aggregation,
            Aggregation::kPerProcess);
  const absl::StatusOr<Options> sum = ParsedWith("aggregation: sum");
  ASSERT_THAT(sum, IsOk());
  EXPECT_EQ(sum->aggregation, Aggregation::kSum);
  EXPECT_FALSE(sum->tag_by.pid);
  for (const char* value : {"avg", "1", "[sum]"}) {
    EXPECT_THAT(ParsedWith(absl::StrCat("aggregation: ", value)),
                IsInvalid(HasSubstr("is not known; it is per_process or sum")))
        << value;
  }
}

// Two processes must not share a series.
TEST(TagByOption, AlwaysHasThePidWhereEachProcessHasASeries) {
  const absl::StatusOr<Options> options =
      ParsedWith("tag_by: [ppid, user, command, container_id, tracer]");
  ASSERT_THAT(options, IsOk());
  EXPECT_TRUE(options->tag_by.pid);
  EXPECT_TRUE(options->tag_by.parent);
  EXPECT_TRUE(options->tag_by.user);
  EXPECT_TRUE(options->tag_by.command);
  EXPECT_TRUE(options->tag_by.container);
  EXPECT_TRUE(options->tag_by.tracer);
}

TEST(TagByOption, CannotHaveThePidInASum) {
  EXPECT_THAT(ParsedWith("aggregation: sum\ntag_by: [user, pid]"),
              IsInvalid("instance option \"tag_by\": [\"user\",\"pid\"] "
                        "cannot have pid together with aggregation: sum, where "
                        "it would leave nothing to sum up; remove one of "
                        "them"));
}

TEST(TagByOption, MustBeAListOfWhatThereIs) {
  EXPECT_THAT(ParsedWith("tag_by: user"),
              IsInvalid("instance option \"tag_by\": \"user\" is not a list "
                        "of pid, ppid, user, command, container_id and tracer; "
                        "write tag_by: [user]"));
  EXPECT_THAT(ParsedWith("tag_by: [cmdline]"),
              IsInvalid("instance option \"tag_by\": [\"cmdline\"] has "
                        "\"cmdline\", which is not known; there are pid, ppid, "
                        "user, command, container_id and tracer"));
}

TEST(TagCardinalityOption, IsAsTheAgentNamesIt) {
  EXPECT_EQ(ParsedWith("limit: 5")->tag_cardinality, std::nullopt);
  EXPECT_EQ(ParsedWith("tag_cardinality: low")->tag_cardinality,
            TagCardinality::kLow);
  EXPECT_EQ(ParsedWith("tag_cardinality: orchestrator")->tag_cardinality,
            TagCardinality::kOrchestrator);
  EXPECT_EQ(ParsedWith("tag_cardinality: high")->tag_cardinality,
            TagCardinality::kHigh);
  EXPECT_THAT(ParsedWith("tag_cardinality: all"),
              IsInvalid("instance option \"tag_cardinality\": \"all\" is not "
                        "known; it is low, orchestrator or high"));
}

TEST(TracerRuntimeMetricsOption, IsSkipOrCollect) {
  EXPECT_EQ(ParsedWith("limit: 5")->tracer_runtime_metrics,
            TracerRuntimeMetrics::kSkip);
  EXPECT_EQ(ParsedWith("tracer_runtime_metrics: skip")->tracer_runtime_metrics,
            TracerRuntimeMetrics::kSkip);
  EXPECT_EQ(
      ParsedWith("tracer_runtime_metrics: collect")->tracer_runtime_metrics,
      TracerRuntimeMetrics::kCollect);
  for (const char* value : {"true", "both", "[skip]", "\"\""}) {
    EXPECT_THAT(ParsedWith(absl::StrCat("tracer_runtime_metrics: ", value)),
                IsInvalid(AllOf(HasSubstr("\"tracer_runtime_metrics\""),
                                HasSubstr("write skip, to leave"))))
        << value;
  }
}

TEST(TimeBudgetOption, IsAPartOfTheIntervalUnlessGiven) {
  EXPECT_EQ(ParsedWith("min_collection_interval: 60")->time_budget,
            absl::Seconds(12));
  EXPECT_EQ(ParsedWith("time_budget: 0.25")->time_budget,
            absl::Milliseconds(250));
  EXPECT_THAT(ParsedWith("time_budget: 0"),
              IsInvalid("instance option \"time_budget\": 0 is not a number "
                        "of seconds above zero; write time_budget: 3"));
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

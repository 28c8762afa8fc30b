#include "lib/sample/series.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace pycheck {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

const Traits kTraits = {.pid = 12,
                        .parent = 1,
                        .user = "www-data",
                        .command = "gunicorn",
                        .implementation = "CPython",
                        .version = "3.11.2",
                        .tracer_version = "",
                        .container_id = "abc"};

TEST(SeriesTags, HaveWhatIsAskedFor) {
  EXPECT_THAT(SeriesTags({"env:prod", "process_name:app"}, {}, kTraits).tags(),
              ElementsAre("env:prod", "lang:python", "lang_interpreter:cpython",
                          "lang_version:3.11.2", "pid:12", "process_name:app"));
  const TagBy all = {.pid = true,
                     .parent = true,
                     .user = true,
                     .command = true,
                     .container = true};
  EXPECT_THAT(SeriesTags({}, all, kTraits).tags(),
              ElementsAre("command:gunicorn", "container_id:abc", "lang:python",
                          "lang_interpreter:cpython", "lang_version:3.11.2",
                          "pid:12", "ppid:1", "user:www-data"));
}

TEST(SeriesTags, LetTheInstancesTagsStandForWhatWasFound) {
  Traits traits = kTraits;
  traits.container = {"team:c", "image:i", "kube_service:a", "kube_service:b"};
  EXPECT_THAT(SeriesTags({"lang:mine", "Team:web"}, {}, traits).tags(),
              ElementsAre("image:i", "kube_service:a", "kube_service:b",
                          "lang:mine", "lang_interpreter:cpython",
                          "lang_version:3.11.2", "pid:12", "team:web"));
}

TEST(SeriesTags, HaveTheVersionOfTheTracer) {
  Traits traits = kTraits;
  traits.tracer_version = "4.16.0";
  EXPECT_THAT(SeriesTags({}, {}, traits).tags(),
              testing::Contains("tracer_version:4.16.0"));
}

TEST(SeriesTags, HaveWhatTheTracerDoesWhereThatIsAskedFor) {
  Traits traits;
  traits.tracer = {"tracer_loaded:true", "tracing_enabled:false"};
  EXPECT_THAT(SeriesTags({}, {.pid = false}, traits).tags(), ElementsAre());
  EXPECT_THAT(SeriesTags({}, {.pid = false, .tracer = true}, traits).tags(),
              ElementsAre("tracer_loaded:true", "tracing_enabled:false"));
}

TEST(SeriesTags, LeaveOutWhatIsNotKnown) {
  const TagBy all = {
      .pid = false, .parent = false, .user = true, .command = true};
  EXPECT_THAT(SeriesTags({}, all, Traits()).tags(), ElementsAre());
}

TEST(SeriesTags, HaveWhatTheServiceSaysOfItselfAndNothingInsteadOfAnother) {
  Traits traits = kTraits;
  traits.service = {"service:s", "ENV:e",          "version:1",
                    "pid:5",     "lang_version:2", "lone"};
  EXPECT_THAT(SeriesTags({"Env:prod", "process_name:app"}, {}, traits).tags(),
              ElementsAre("env:prod", "lang:python", "lang_interpreter:cpython",
                          "lang_version:3.11.2", "lone", "pid:12",
                          "process_name:app", "service:s", "version:1"));
}

Gauges Values(std::optional<double> first, std::optional<double> second) {
  Gauges gauges;
  gauges[0] = first;
  gauges[1] = second;
  return gauges;
}

TEST(Sums, AddUpWhatHasTheSameTags) {
  Sums sums;
  const TagSet a({"a"});
  const TagSet also_a({"a"});
  const TagSet b({"b"});
  sums.Add(a, Values(1, 2));
  sums.Add(b, Values(10, 20));
  sums.Add(also_a, Values(3, 0));
  ASSERT_THAT(sums.sums(), SizeIs(2));
  const Sums::Sum& first = sums.sums().at(&also_a);
  EXPECT_EQ(first.processes, 2);
  EXPECT_EQ(first.gauges, Values(4, 2));
  EXPECT_THAT(sums.sums().begin()->first->tags(), ElementsAre("a"));
  EXPECT_EQ(sums.sums().at(&b).gauges, Values(10, 20));
}

TEST(Sums, AreAbsentWhereOneOfTheProcessesIs) {
  for (const int missing : {0, 1, 2}) {
    Sums sums;
    const TagSet tags({"a"});
    for (const int process : {0, 1, 2}) {
      sums.Add(tags, Values(1, process == missing ? std::nullopt
                                                  : std::optional(1.0)));
    }
    EXPECT_EQ(sums.sums().at(&tags).gauges, Values(3, std::nullopt));
    EXPECT_EQ(sums.sums().at(&tags).processes, 3);
  }
}

}  // namespace
}  // namespace pycheck

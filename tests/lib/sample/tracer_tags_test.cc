#include "lib/sample/tracer_tags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace pycheck {
namespace {

using testing::ElementsAre;

void ExpectOn(const Variables& variables, bool traces, bool profiles) {
  const auto text = [](bool on) { return on ? "true" : "false"; };
  EXPECT_THAT(TracerTags(variables, Tracer()),
              ElementsAre("tracer_loaded:true",
                          std::string("tracing_enabled:") + text(traces),
                          std::string("profiling_enabled:") + text(profiles)))
      << testing::PrintToString(variables);
}

TEST(TracerTags, SayThatTracesAreOnAndProfilesOffWhereNothingIsSet) {
  ExpectOn({}, true, false);
}

TEST(TracerTags, FollowWhatTurnsTracesOff) {
  for (const char* value : {"false", "0", "no", "yes", ""}) {
    ExpectOn({{"DD_TRACE_ENABLED", value}}, false, false);
  }
  for (const char* value : {"true", "True", "1"}) {
    ExpectOn({{"DD_TRACE_ENABLED", value}}, true, false);
  }
  ExpectOn({{"OTEL_TRACES_EXPORTER", "None"}}, false, false);
  ExpectOn({{"OTEL_TRACES_EXPORTER", "otlp"}}, true, false);
  ExpectOn({{"OTEL_TRACES_EXPORTER", "none"}, {"DD_TRACE_ENABLED", "1"}}, true,
           false);
}

TEST(TracerTags, FollowWhatTurnsProfilesOn) {
  for (const char* value : {"true", "TRUE", "1", "yes", "on", "auto"}) {
    ExpectOn({{"DD_PROFILING_ENABLED", value}}, true, true);
  }
  for (const char* value : {"false", "0", "no", ""}) {
    ExpectOn({{"DD_PROFILING_ENABLED", value}}, true, false);
  }
  ExpectOn({{"DD_INJECTION_ENABLED", "tracer, Profiler"}}, true, true);
  ExpectOn({{"DD_INJECTION_ENABLED", "tracer"}}, true, false);
  ExpectOn(
      {{"DD_INJECTION_ENABLED", "profiler"}, {"DD_PROFILING_ENABLED", "false"}},
      true, true);
}

TEST(TracerTags, SayThatNothingIsOnWhereThereIsNoTracer) {
  const Variables all_on = {{"DD_TRACE_ENABLED", "true"},
                            {"DD_PROFILING_ENABLED", "true"}};
  EXPECT_THAT(TracerTags(all_on, std::nullopt),
              ElementsAre("tracer_loaded:false", "tracing_enabled:false",
                          "profiling_enabled:false"));
}

}  // namespace
}  // namespace pycheck

#ifndef PYCHECK_TESTS_TESTING_RECORDING_SINK_H_
#define PYCHECK_TESTS_TESTING_RECORDING_SINK_H_

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "lib/check/check.h"
#include "lib/sink/metric_sink.h"

namespace pycheck {

// Keeps all that it is given.
class RecordingSink : public MetricSink {
 public:
  struct Check {
    std::string name;
    ServiceStatus status;
    std::string tags;
    std::string message;
  };

  void Gauge(const char* name, double value, const TagSet& tags) override {
    auto& series = absl::StartsWith(name, "runtime.") ? gauges : others;
    const bool is_new =
        series[absl::StrJoin(tags.tags(), ",")].emplace(name, value).second;
    EXPECT_TRUE(is_new) << name << " comes twice for one series";
  }
  void ServiceCheck(const char* name, ServiceStatus status, const TagSet& tags,
                    const std::string& message) override {
    service_checks.push_back(
        {name, status, absl::StrJoin(tags.tags(), ","), message});
  }
  void Warn(const std::string& message) override {
    warnings.push_back(message);
  }

  // The service check of this name; one with no name where there is none.
  Check Find(const std::string& name) const {
    for (const Check& check : service_checks) {
      if (check.name == name) return check;
    }
    return {};
  }

  // By the series' tags, joined with commas, and by the gauge's name.
  std::map<std::string, std::map<std::string, double>> gauges;
  std::map<std::string, std::map<std::string, double>> others;  // not runtime.*
  std::vector<Check> service_checks;
  std::vector<std::string> warnings;
  absl::Status error;  // of the run
};

// What one run of a check hands over.
inline RecordingSink RunOnce(Check& check) {
  RecordingSink sink;
  sink.error = check.Collect();
  check.Report(sink, /*tagger=*/nullptr);
  return sink;
}

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_RECORDING_SINK_H_

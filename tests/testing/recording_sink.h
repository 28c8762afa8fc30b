#ifndef PYCHECK_TESTS_TESTING_RECORDING_SINK_H_
#define PYCHECK_TESTS_TESTING_RECORDING_SINK_H_

#include <map>
#include <string>
#include <vector>

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
    gauges[absl::StrJoin(tags.tags(), ",")][name] = value;
  }
  void ServiceCheck(const char* name, ServiceStatus status, const TagSet& tags,
                    const std::string& message) override {
    service_checks.push_back(
        {name, status, absl::StrJoin(tags.tags(), ","), message});
  }
  void Warn(const std::string& message) override {
    warnings.push_back(message);
  }

  // By the series' tags, joined with commas, and by the gauge's name.
  std::map<std::string, std::map<std::string, double>> gauges;
  std::vector<Check> service_checks;
  std::vector<std::string> warnings;
};

// What one run of a check hands over.
inline RecordingSink RunOnce(Check& check) {
  RecordingSink sink;
  const absl::Status status = check.Collect();
  if (!status.ok()) {
    sink.warnings.push_back(status.ToString());
    return sink;
  }
  check.Report(sink);
  return sink;
}

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_RECORDING_SINK_H_

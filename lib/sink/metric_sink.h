#ifndef PYCHECK_LIB_SINK_METRIC_SINK_H_
#define PYCHECK_LIB_SINK_METRIC_SINK_H_

#include <string>

#include "lib/sink/tag_set.h"

namespace pycheck {

// The values are those of the Agent's aggregator.
enum class ServiceStatus { kOk = 0, kWarning = 1, kCritical = 2, kUnknown = 3 };

// The one way out to an Agent. A sink keeps nothing of what it is given. It is
// called by the thread that reports, and by no other at the same time; what it
// cannot deliver it remembers, for its owner to ask.
class MetricSink {
 public:
  virtual ~MetricSink() = default;

  virtual void Gauge(const char* name, double value, const TagSet& tags) = 0;

  virtual void ServiceCheck(const char* name, ServiceStatus status,
                            const TagSet& tags, const std::string& message) = 0;

  // Something that a person should read once: it is not said at every run.
  virtual void Warn(const std::string& message) = 0;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_SINK_METRIC_SINK_H_

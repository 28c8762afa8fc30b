#ifndef PYCHECK_BENCHMARKS_CHECK_NULL_SINK_H_
#define PYCHECK_BENCHMARKS_CHECK_NULL_SINK_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/sink/metric_sink.h"

namespace pycheck {

// Takes everything, keeps nothing, and counts the processes that were read.
class NullSink : public MetricSink {
 public:
  void Gauge(const char* name, double /*value*/,
             const TagSet& /*tags*/) override {
    if (name == std::string_view("runtime.python.mem.rss")) ++resident_sizes_;
  }
  void ServiceCheck(const char* /*name*/, ServiceStatus /*status*/,
                    const TagSet& /*tags*/,
                    const std::string& /*message*/) override {}
  void Warn(const std::string& /*message*/) override {}

  int64_t resident_sizes() const { return resident_sizes_; }
  void Forget() { resident_sizes_ = 0; }

 private:
  int64_t resident_sizes_ = 0;
};

}  // namespace pycheck

#endif  // PYCHECK_BENCHMARKS_CHECK_NULL_SINK_H_

#ifndef PYCHECK_CHECK_RTLOADER_RTLOADER_SINK_H_
#define PYCHECK_CHECK_RTLOADER_RTLOADER_SINK_H_

#include "check/rtloader/python_ref.h"
// Python.h comes first.
#include <string>

#include "lib/sink/metric_sink.h"

namespace pycheck {

// Hands everything to the Agent's `aggregator` module in the name of `check`,
// an AgentCheck. After a Python exception it hands over nothing more. Needs the
// GIL throughout.
class RtloaderSink : public MetricSink {
 public:
  explicit RtloaderSink(PyObject* check);

  // False when a Python exception has come, which then is set.
  bool ok() const { return ok_; }

  void Gauge(const char* name, double value, const TagSet& tags) override;
  void ServiceCheck(const char* name, ServiceStatus status, const TagSet& tags,
                    const std::string& message) override;
  void Warn(const std::string& message) override;

 private:
  PyObject* TagList(const TagSet& tags);

  PyObject* check_;
  PythonRef check_id_;
  PythonRef submit_metric_;
  PythonRef submit_service_check_;
  PythonRef gauge_;  // aggregator.GAUGE
  const TagSet* listed_ = nullptr;
  PythonRef list_;  // of *listed_
  bool ok_ = false;
};

}  // namespace pycheck

#endif  // PYCHECK_CHECK_RTLOADER_RTLOADER_SINK_H_

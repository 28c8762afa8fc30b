#ifndef PYCHECK_CHECK_NATIVE_NATIVE_SINK_H_
#define PYCHECK_CHECK_NATIVE_NATIVE_SINK_H_

#include <string>

#include "check/native/agent.h"
#include "lib/sink/metric_sink.h"

namespace pycheck {

// Hands everything to the Agent's callbacks, which must outlive it. An empty
// host name is the Agent's own.
class NativeSink : public MetricSink {
 public:
  NativeSink(char* check_id, const AgentCallbacks& callbacks)
      : check_id_(check_id), callbacks_(callbacks) {}

  void Gauge(const char* name, double value, const TagSet& tags) override {
    callbacks_.submit_metric(check_id_, kAgentGauge, const_cast<char*>(name),
                             value, tags.c_strings(), hostname_,
                             /*flush_first_value=*/false);
  }

  void ServiceCheck(const char* name, ServiceStatus status, const TagSet& tags,
                    const std::string& message) override {
    callbacks_.submit_service_check(
        check_id_, const_cast<char*>(name), static_cast<int>(status),
        tags.c_strings(), hostname_, const_cast<char*>(message.c_str()));
  }

  // There is no callback for it that every Agent has; the service check's
  // message says the same.
  void Warn(const std::string& /*message*/) override {}

 private:
  char* check_id_;
  char hostname_[1] = {'\0'};
  const AgentCallbacks& callbacks_;
};

}  // namespace pycheck

#endif  // PYCHECK_CHECK_NATIVE_NATIVE_SINK_H_

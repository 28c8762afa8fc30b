// The interface of the Agent's shared-library loader, in C: what the loader
// calls, and what it hands over to be called back.

#ifndef PYCHECK_CHECK_NATIVE_AGENT_H_
#define PYCHECK_CHECK_NATIVE_AGENT_H_

// NOLINTBEGIN(google-runtime-int, modernize-*): it is C.
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

// Metric types of the aggregator.
enum { kAgentGauge = 0 };

// The callbacks that every Agent has. Newer Agents have one more, for logging,
// behind these; nothing in a call tells whether it is there, so it is left
// alone. The Agent copies what it is given and changes none of it.
typedef struct {
  void (*submit_metric)(char* check_id, int type, char* name, double value,
                        char** tags, char* hostname, bool flush_first_value);
  void (*submit_service_check)(char* check_id, char* name, int status,
                               char** tags, char* hostname, char* message);
  void (*submit_event)(char* check_id, void* event);
  void (*submit_histogram_bucket)(char* check_id, char* name, long long value,
                                  float lower_bound, float upper_bound,
                                  int monotonic, char* hostname, char** tags,
                                  bool flush_first_value);
  void (*submit_event_platform_event)(char* check_id, char* event,
                                      int event_length, char* event_type);
} AgentCallbacks;

// Runs one instance once. Both configurations are YAML. On failure *error is
// set to a message from malloc(3), which the caller frees; else it is left as
// it is. May be called from any thread; runs of different ids are parallel.
void Run(char* check_id, char* init_config, char* instance_config,
         const AgentCallbacks* callbacks, const char** error);

// The version of this library: a static string.
const char* Version(void);

#ifdef __cplusplus
}
#endif
// NOLINTEND(google-runtime-int, modernize-*)

#endif  // PYCHECK_CHECK_NATIVE_AGENT_H_

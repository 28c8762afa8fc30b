// What an Agent does at the least with what a check hands over: it takes the
// texts in, and counts.

#ifndef PYCHECK_BENCHMARKS_CHECK_NULL_AGENT_H_
#define PYCHECK_BENCHMARKS_CHECK_NULL_AGENT_H_

#include "check/native/agent.h"

void NullAgentSubmitMetric(char* check_id, int type, char* name, double value,
                           char** tags, char* hostname, bool flush_first_value);
void NullAgentSubmitServiceCheck(char* check_id, char* name, int status,
                                 char** tags, char* hostname, char* message);

// How many metrics there were so far.
long long NullAgentMetrics(void);

// Runs an instance so many times through `run`, which is the native door's Run.
// The CPU time that this process has used for it, in nanoseconds; -1 when a run
// failed, and then stderr says why.
long long NullAgentRun(__typeof__(Run)* run, char* check_id, char* init_config,
                       char* instance_config, int runs);

#endif  // PYCHECK_BENCHMARKS_CHECK_NULL_AGENT_H_

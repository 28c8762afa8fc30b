#define _POSIX_C_SOURCE 200809L
#include "benchmarks/check/null_agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long long metrics;
static volatile size_t bytes;  // so that no text is left unread

static void TakeIn(const char* check_id, const char* name, char** tags,
                   const char* hostname) {
  size_t size = strlen(check_id) + strlen(name) + strlen(hostname);
  for (; *tags != NULL; ++tags) size += strlen(*tags);
  bytes += size;
}

void NullAgentSubmitMetric(char* check_id, int type, char* name, double value,
                           char** tags, char* hostname,
                           bool flush_first_value) {
  (void)type;
  (void)value;
  (void)flush_first_value;
  TakeIn(check_id, name, tags, hostname);
  ++metrics;
}

void NullAgentSubmitServiceCheck(char* check_id, char* name, int status,
                                 char** tags, char* hostname, char* message) {
  (void)status;
  TakeIn(check_id, name, tags, hostname);
  bytes += strlen(message);
}

long long NullAgentMetrics(void) { return metrics; }

static long long CpuNanoseconds(void) {
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return used.tv_sec * 1000000000LL + used.tv_nsec;
}

long long NullAgentRun(__typeof__(Run)* run, char* check_id, char* init_config,
                       char* instance_config, int runs) {
  static const AgentCallbacks kCallbacks = {
      .submit_metric = NullAgentSubmitMetric,
      .submit_service_check = NullAgentSubmitServiceCheck,
  };
  const char* error = NULL;
  const long long begin = CpuNanoseconds();
  for (int i = 0; i < runs && error == NULL; ++i) {
    run(check_id, init_config, instance_config, &kCallbacks, &error);
  }
  const long long used = CpuNanoseconds() - begin;
  if (error == NULL) return used;
  fprintf(stderr, "%s\n", error);
  free((void*)error);
  return -1;
}

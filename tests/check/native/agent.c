// Calls the native door as the Agent's shared-library loader does, from C, and
// prints what it gets:  agent LIBRARY CHECK_ID INIT_CONFIG INSTANCE RUNS
//
// The interface is written down here a second time on purpose, as the loader
// declares it. The table of callbacks ends where the last mapped page ends, so
// a door that reads past it does not survive.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
  void (*submit_metric)(char *, int, char *, double, char **, char *, bool);
  void (*submit_service_check)(char *, char *, int, char **, char *, char *);
  void (*submit_event)(char *, void *);
  void (*submit_histogram_bucket)(char *, char *, long long, float, float, int,
                                  char *, char **, bool);
  void (*submit_event_platform_event)(char *, char *, int, char *);
} aggregator_t;

static void print_tags(char **tags) {
  for (; *tags != NULL; ++tags) printf(" %s", *tags);
}

static void submit_metric(char *check_id, int type, char *name, double value,
                          char **tags, char *hostname, bool flush_first_value) {
  printf("metric %s type=%d %s=%.17g host=[%s] flush=%d", check_id, type, name,
         value, hostname, flush_first_value);
  print_tags(tags);
  printf("\n");
}

static void submit_service_check(char *check_id, char *name, int status,
                                 char **tags, char *hostname, char *message) {
  printf("service_check %s %s=%d host=[%s] message=[%s]", check_id, name,
         status, hostname, message);
  print_tags(tags);
  printf("\n");
}

static aggregator_t *table_at_the_end_of_memory(void) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED || mprotect(pages + page, page, PROT_NONE) != 0) {
    exit(3);
  }
  aggregator_t *table =
      (aggregator_t *)(void *)(pages + page - sizeof(aggregator_t));
  memset(table, 0, sizeof(*table));
  table->submit_metric = submit_metric;
  table->submit_service_check = submit_service_check;
  return table;
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 2;
  }
  void (*run)(char *, char *, char *, const aggregator_t *, const char **);
  const char *(*version)(const char **);
  *(void **)&run = dlsym(library, "Run");
  *(void **)&version = dlsym(library, "Version");
  if (run == NULL || version == NULL) return 2;

  const char *version_error = NULL;
  printf("version %s\n", version(&version_error));
  const aggregator_t *table = table_at_the_end_of_memory();
  for (int i = 0; i < atoi(argv[5]); ++i) {
    printf("run %d\n", i);
    const char *error = NULL;
    run(argv[2], argv[3], argv[4], table, &error);
    if (error != NULL) {
      printf("error %s\n", error);
      free((void *)error);
    }
  }
  dlclose(library);
  return version_error != NULL;
}

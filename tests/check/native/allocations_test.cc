// That a run at which nothing is new allocates nothing. This program's malloc
// is the door's too, which counts.

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "check/native/agent.h"
#include "tests/testing/python_process.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PYCHECK_HAS_OWN_MALLOC  // and no room for another
#endif
#endif

// The C library's own, beneath what it gives everybody to replace.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace {

thread_local bool is_counted = false;
thread_local int allocations = 0;

[[maybe_unused]] void Count() {
  if (is_counted) ++allocations;
}

}  // namespace

#ifndef PYCHECK_HAS_OWN_MALLOC
extern "C" {
void* malloc(size_t size) {
  Count();
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  Count();
  return __libc_calloc(count, size);
}
void* realloc(void* block, size_t size) {
  Count();
  return __libc_realloc(block, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  Count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** block, size_t alignment, size_t size) {
  Count();
  *block = __libc_memalign(alignment, size);
  return 0;
}
}
#endif

namespace pycheck {
namespace {

constexpr int kProcesses = 100;

// A hundred Pythons that run between two of the check's runs.
constexpr char kForkBusily[] = R"(
import os, sys, time
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        while os.getppid() != 1: time.sleep(0.001)
        os._exit(0)
os.write(1, b'\n')
while True: time.sleep(0.001)
)";

int gauges = 0;

void SubmitMetric(char* /*check_id*/, int /*type*/, char* /*name*/,
                  double /*value*/, char** tags, char* /*hostname*/,
                  bool /*flush_first_value*/) {
  if (tags != nullptr) ++gauges;
}
void SubmitServiceCheck(char* /*check_id*/, char* /*name*/, int /*status*/,
                        char** /*tags*/, char* /*hostname*/,
                        char* /*message*/) {}

class AllocationsTest : public testing::TestWithParam<const char*> {};

TEST_P(AllocationsTest, AreNoneInALaterRun) {
#ifdef PYCHECK_HAS_OWN_MALLOC
  GTEST_SKIP() << "a sanitizer has its own malloc";
#endif
  void* const door = dlopen(NATIVE_DOOR, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(door, nullptr) << dlerror();
  const auto run = reinterpret_cast<decltype(&::Run)>(dlsym(door, "Run"));
  ASSERT_NE(run, nullptr);
  PythonProcess python(AnyPython().executable, GetParam(),
                       {absl::StrCat(kProcesses - 1)});
  python.ReadLine();
  AgentCallbacks callbacks{};
  callbacks.submit_metric = SubmitMetric;
  callbacks.submit_service_check = SubmitServiceCheck;
  std::string id = "python:1";
  std::string init_config;
  std::string instance =
      absl::StrCat("{name: app, collect_children: true, pid: ", python.pid(),
                   ", tags: ['team:web', 'a:b'], time_budget: 60}");
  constexpr int kFirstRuns = 70;  // until what may come late is given up
  const char* error = nullptr;
  allocations = 0;
  is_counted = true;
  for (int i = 0; i < kFirstRuns; ++i) {
    run(id.data(), init_config.data(), instance.data(), &callbacks, &error);
    ASSERT_EQ(error, nullptr) << error;
  }
  EXPECT_GE(allocations, kProcesses);  // that these are counted
  for (int i = 0; i < 5; ++i) {
    gauges = 0;
    allocations = 0;
    is_counted = true;
    run(id.data(), init_config.data(), instance.data(), &callbacks, &error);
    is_counted = false;
    EXPECT_EQ(error, nullptr);
    EXPECT_GE(gauges, kProcesses * 10);
    EXPECT_EQ(allocations, 0);
  }
  dlclose(door);
}

INSTANTIATE_TEST_SUITE_P(, AllocationsTest,
                         testing::Values(kForks, kForkBusily),
                         [](const auto& info) {
                           return info.index == 0 ? "AtRest" : "AtWork";
                         });

}  // namespace
}  // namespace pycheck

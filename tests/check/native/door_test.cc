#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "check/native/agent.h"
#include "lib/base/file.h"
#include "lib/sample/gauges.h"
#include "tests/testing/command.h"
#include "tests/testing/descriptors.h"
#include "tests/testing/emulation.h"
#include "tests/testing/python_process.h"

namespace pycheck {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Lines = std::vector<std::string>;

// The lines that agent.c prints.
Lines RunFromC(const std::string& instance, int runs) {
  const std::string command =
      absl::StrCat(Emulator(), NATIVE_AGENT " " NATIVE_DOOR " python:1 '' \"",
                   instance, "\" ", runs, " 2>&1");
  return LinesOf(command);
}

TEST(NativeDoor, HandsTenGaugesToAnAgentWrittenInC) {
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  const Lines lines = RunFromC(
      absl::StrCat("{name: app, pid: ", python.pid(), ", tags: [env:test]}"),
      2);
  const std::string tags = absl::StrCat(
      " env:test lang:python lang_interpreter:cpython "
      "lang_version:[0-9.]+ pid:",
      python.pid(), " process_name:app");
  size_t i = 0;
  EXPECT_EQ(lines.at(i++), "version " PYCHECK_VERSION);
  EXPECT_EQ(lines.at(i++), "run 0");
  i += 5;
  EXPECT_EQ(lines.at(i++),
            "metric python:1 type=0 python.process.count=1 host=[] flush=0 "
            "env:test process_name:app");
  EXPECT_EQ(lines.at(i++),
            "metric python:1 type=0 python.process.left_to_tracer=0 host=[] "
            "flush=0 env:test process_name:app");
  EXPECT_EQ(lines.at(i++),
            "service_check python:1 python.process.up=0 host=[] message=[] "
            "env:test process_name:app");
  EXPECT_EQ(lines.at(i++),
            "service_check python:1 python.gc.readable=0 host=[] message=[] "
            "env:test process_name:app");
  EXPECT_EQ(lines.at(i++), "run 1");
  for (const GaugeDefinition& gauge : GaugeDefinitions()) {
    EXPECT_THAT(lines.at(i++),
                ContainsRegex(absl::StrCat(
                    "^metric python:1 type=0 ", gauge.name,
                    "=[0-9.e+-]+ host=\\[\\] flush=0", tags, "$")));
  }
  EXPECT_THAT(lines.at(i++), HasSubstr("python.process.count=1"));
  EXPECT_THAT(lines.at(i++), HasSubstr("python.process.left_to_tracer=0"));
  EXPECT_THAT(lines.at(i++), HasSubstr("python.process.up=0"));
  EXPECT_THAT(lines.at(i++), HasSubstr("python.gc.readable=0"));
  EXPECT_EQ(lines.size(), i);
}

TEST(NativeDoor, TellsAnAgentWrittenInCWhatIsWrong) {
  EXPECT_THAT(RunFromC("{name: app, pidfile: /run/app.pid}", 1),
              ElementsAre("version " PYCHECK_VERSION, "run 0",
                          "error instance option \"pidfile\" is not known; did "
                          "you mean \"pid_file\"?"));
}

// What callbacks that know no caller can keep.
std::atomic<int> gauges_received{0};

void CountGauge(char* /*check_id*/, int /*type*/, char* /*name*/,
                double /*value*/, char** /*tags*/, char* /*hostname*/,
                bool /*flush*/) {
  ++gauges_received;
}

void IgnoreServiceCheck(char* /*check_id*/, char* /*name*/, int /*status*/,
                        char** /*tags*/, char* /*hostname*/,
                        char* /*message*/) {}

constexpr AgentCallbacks kCallbacks = {
    .submit_metric = CountGauge,
    .submit_service_check = IgnoreServiceCheck,
    .submit_event = nullptr,
    .submit_histogram_bucket = nullptr,
    .submit_event_platform_event = nullptr};

class Library {
 public:
  explicit Library(const char* path)
      : handle_(dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
    EXPECT_NE(handle_, nullptr) << dlerror();
    run_ = reinterpret_cast<decltype(&Run)>(dlsym(handle_, "Run"));
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() { dlclose(handle_); }

  // The error's text, or nothing.
  std::string RunOnce(std::string check_id, std::string instance) const {
    const char* error = nullptr;
    run_(check_id.data(), nullptr, instance.data(), &kCallbacks, &error);
    std::string text = error == nullptr ? "" : error;
    std::free(const_cast<char*>(error));
    return text;
  }

  decltype(&Run) run() const { return run_; }

 private:
  void* handle_;
  decltype(&Run) run_;
};

TEST(NativeDoor, LetsNoExceptionOut) {
  const Library library(THROWING_DOOR);
  EXPECT_EQ(library.RunOnce("a", "{name: app, pid: 1}"), "the core threw");
  EXPECT_EQ(library.RunOnce("b", "{name: an int, pid: 1}"),
            "unknown exception");
}

TEST(NativeDoor, TakesNullForWhatIsNotThere) {
  const Library library(NATIVE_DOOR);
  char check_id[] = "a";
  const char* error = nullptr;
  library.run()(check_id, nullptr, nullptr, &kCallbacks, &error);
  EXPECT_THAT(error, HasSubstr("\"name\" is required"));
  std::free(const_cast<char*>(error));
  library.run()(nullptr, nullptr, nullptr, nullptr, &error);
  EXPECT_THAT(error, HasSubstr("check id"));
  std::free(const_cast<char*>(error));
  library.run()(nullptr, nullptr, nullptr, nullptr, nullptr);
}

// Of one process, and the count of processes.
constexpr int kGaugesPerRun = static_cast<int>(kGaugeCount) + 2;

// How many gauges come when several threads run the check, each under the id
// that `id_of` gives it.
template <typename IdOf>
int CountGaugesOfThreads(int threads, int runs, const IdOf& id_of) {
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  const std::string instance =
      absl::StrCat("{name: app, pid: ", python.pid(), "}");
  const Library library(NATIVE_DOOR);
  gauges_received = 0;
  std::vector<std::thread> started;
  started.reserve(static_cast<size_t>(threads));
  for (int thread = 0; thread < threads; ++thread) {
    started.emplace_back([&, thread] {
      for (int i = 0; i < runs; ++i) {
        EXPECT_EQ(library.RunOnce(id_of(thread), instance), "");
      }
    });
  }
  for (std::thread& thread : started) thread.join();
  return gauges_received;
}

TEST(NativeDoor, RunsDifferentIdsInParallel) {
  EXPECT_EQ(CountGaugesOfThreads(
                8, 100, [](int id) { return absl::StrCat("python:", id); }),
            8 * (100 * kGaugesPerRun - 5));
}

TEST(NativeDoor, RunsOneIdFromSeveralThreads) {
  EXPECT_EQ(CountGaugesOfThreads(4, 100, [](int) { return "python:1"; }),
            4 * 100 * kGaugesPerRun - 5);
}

bool IsMapped() {
  return absl::StrContains(*ReadWholeFile("/proc/self/maps", size_t{1} << 24),
                           "libdatadog-agent-python");
}

// Loads the library, runs it in a thread that outlives it, and unloads it.
void LoadRunAndUnload(const std::string& chosen) {
  const size_t descriptors = CountDescriptors();
  std::atomic<bool> ran{false};
  std::atomic<bool> closed{false};
  auto library = std::make_unique<Library>(NATIVE_DOOR);
  std::thread thread([&] {
    EXPECT_EQ(library->RunOnce(
                  "python:1",
                  "{name: app, search_string: ['x+y'], exact_match: false}"),
              "");
    EXPECT_EQ(library->RunOnce("python:2", chosen), "");
    EXPECT_NE(library->RunOnce("python:3", "{name: [}"), "");
    ran = true;
    ran.notify_one();
    closed.wait(false);
  });
  ran.wait(false);
  EXPECT_GT(CountDescriptors(), descriptors);
  library.reset();
  EXPECT_EQ(CountDescriptors(), descriptors);
  EXPECT_FALSE(IsMapped());
  closed = true;
  closed.notify_one();
  thread.join();
}

size_t BytesInUse() {
#if __GLIBC_PREREQ(2, 33)
  return mallinfo2().uordblks;
#else
  return static_cast<size_t>(mallinfo().uordblks);
#endif
}

TEST(NativeDoor, LeavesNothingBehindWhenItIsClosed) {
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  const std::string chosen =
      absl::StrCat("{name: app, pid: ", python.pid(), "}");
  // A table that grows does so now and then; what leaks does so at each load.
  constexpr int kLoads = 100;
  constexpr size_t kSmallestObject = 16;
  size_t smallest_growth = SIZE_MAX;
  for (int batch = 0; batch < 4; ++batch) {
    const size_t heap = BytesInUse();
    for (int i = 0; i < kLoads; ++i) LoadRunAndUnload(chosen);
    const size_t after = BytesInUse();
    smallest_growth = std::min(smallest_growth, after - std::min(after, heap));
  }
  EXPECT_LT(smallest_growth, kLoads * kSmallestObject);
}

}  // namespace
}  // namespace pycheck

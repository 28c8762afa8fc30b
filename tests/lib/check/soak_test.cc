// Many runs over many processes: nothing may grow. Under AddressSanitizer it
// also shows that nothing leaks.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/check/check.h"
#include "lib/config/document.h"
#include "lib/config/options.h"
#include "lib/procfs/statm.h"
#include "tests/testing/descriptors.h"
#include "tests/testing/python_process.h"
#include "tests/testing/recording_sink.h"

namespace pycheck {
namespace {

constexpr int kProcesses = 20;

class CountingSink : public MetricSink {
 public:
  void Gauge(const char* /*name*/, double /*value*/,
             const TagSet& /*tags*/) override {
    ++gauges;
  }
  void ServiceCheck(const char* /*name*/, ServiceStatus /*status*/,
                    const TagSet& /*tags*/,
                    const std::string& /*message*/) override {}
  void Warn(const std::string& message) override { ADD_FAILURE() << message; }

  int gauges = 0;
};

uint64_t ResidentBytes() {
  return ParseStatm(*ReadWholeFile("/proc/self/statm", 4096))->resident_pages *
         PageSize();
}

TEST(Soak, KeepsDescriptorsAndMemoryFlat) {
  const std::string word = absl::StrCat("soak-", getpid());
  std::vector<std::unique_ptr<PythonProcess>> processes;
  for (int i = 0; i < kProcesses; ++i) {
    processes.push_back(std::make_unique<PythonProcess>(
        AnyPython().executable, kWaits, std::vector<std::string>{word}));
    processes.back()->ReadLine();
  }
  // With the parent as a tag everything is read anew in each run, also of a
  // process at rest.
  const std::string pids =
      absl::StrCat("{name: app, exact_match: false, tag_by: [ppid], ",
                   "search_string: ['", word, "']}");
  Check check =
      *Check::Create(*ParseOptions(nullptr, *ParseYaml(pids)), "/proc");
  CountingSink sink;
  const auto run = [&] {
    ASSERT_TRUE(check.Collect().ok());
    check.Report(sink, /*tagger=*/nullptr);
  };
  for (int i = 0; i < SOAK_RUNS / 10; ++i) run();
  const size_t descriptors = CountDescriptors();
  // A table that grows with the machine's processes does so once; what leaks
  // does so in both halves.
  constexpr int kHalf = (SOAK_RUNS - SOAK_RUNS / 10) / 2;
  uint64_t smallest_growth = ~uint64_t{0};
  for (int half = 0; half < 2; ++half) {
    const uint64_t before = ResidentBytes();
    for (int i = 0; i < kHalf; ++i) run();
    const uint64_t after = ResidentBytes();
    smallest_growth =
        std::min(smallest_growth, after - std::min(after, before));
  }
  EXPECT_EQ(CountDescriptors(), descriptors);
  EXPECT_LE(smallest_growth, uint64_t{256} << 10);
  // And two of the instance in each run.
  EXPECT_EQ(sink.gauges,
            SOAK_RUNS * (kProcesses * static_cast<int>(kGaugeCount) + 2) -
                kProcesses * 5);
  RecordProperty("runs", SOAK_RUNS);
}

}  // namespace
}  // namespace pycheck

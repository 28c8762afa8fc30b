// One run of the check over one process at rest, beside the bare reads of the
// same data from descriptors that are held open.

#include <benchmark/benchmark.h>

#include <array>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/check/check.h"
#include "lib/config/document.h"
#include "lib/config/options.h"
#include "lib/procfs/maps.h"
#include "lib/procfs/mem.h"
#include "lib/procfs/taskstats.h"
#include "tests/testing/python_process.h"

namespace pycheck {
namespace {

class NullSink : public MetricSink {
 public:
  void Gauge(const char* /*name*/, double value,
             const TagSet& /*tags*/) override {
    benchmark::DoNotOptimize(value);
  }
  void ServiceCheck(const char* /*name*/, ServiceStatus /*status*/,
                    const TagSet& /*tags*/,
                    const std::string& /*message*/) override {}
  void Warn(const std::string& /*message*/) override {}
};

void RunCheck(benchmark::State& state, const char* option) {
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  const absl::StatusOr<Options> options = ParseOptions(
      nullptr,
      *ParseYaml(absl::StrCat("{name: app, pid: ", python.pid(), option, "}")));
  absl::StatusOr<Check> check = Check::Create(*options, "/proc");
  NullSink sink;
  for (auto _ : state) {
    if (!check->Collect().ok()) state.SkipWithError("the process has gone");
    check->Report(sink, /*tagger=*/nullptr);
  }
}

void CheckRunAtRest(benchmark::State& state) { RunCheck(state, ""); }
BENCHMARK(CheckRunAtRest);

// As of a process that has run: with its parent as a tag it is always read.
void CheckRunAtWork(benchmark::State& state) {
  RunCheck(state, ", tag_by: [ppid]");
}
BENCHMARK(CheckRunAtWork);

void BareReads(benchmark::State& state) {
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  const std::string directory = absl::StrCat("/proc/", python.pid(), "/");
  const UniqueFd stat = *OpenFile(directory + "stat");
  const UniqueFd statm = *OpenFile(directory + "statm");
  const UniqueFd status = *OpenFile(directory + "status");
  const UniqueFd mem = *OpenFile(directory + "mem");
  const UniqueFd maps = *OpenFile(directory + "maps");
  const uint64_t image = ReadMappedImages(maps.get())->front().base;
  std::optional<Taskstats> taskstats;
  if (auto opened = Taskstats::Open(*Procfs::Open("/proc")); opened.ok()) {
    taskstats = *std::move(opened);
  }
  std::array<char, 4096> buffer;
  constexpr size_t kGenerationsSize = 72;
  for (auto _ : state) {
    const ssize_t length = pread(stat.get(), buffer.data(), buffer.size(), 0) +
                           pread(statm.get(), buffer.data(), buffer.size(), 0) +
                           pread(mem.get(), buffer.data(), kGenerationsSize,
                                 static_cast<off_t>(image));
    benchmark::DoNotOptimize(length);
    if (taskstats) {
      benchmark::DoNotOptimize(taskstats->Query(python.pid()));
    } else {
      benchmark::DoNotOptimize(
          pread(status.get(), buffer.data(), buffer.size(), 0));
    }
  }
}
BENCHMARK(BareReads);

}  // namespace
}  // namespace pycheck

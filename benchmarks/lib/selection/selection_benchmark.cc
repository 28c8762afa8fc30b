// Choosing among thousands of processes that are at rest, none of which is
// meant, beside no more than listing them.

#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "lib/config/document.h"
#include "lib/config/options.h"
#include "lib/procfs/cpu_clock.h"
#include "lib/procfs/procfs.h"
#include "lib/selection/selection.h"
#include "tests/testing/child_process.h"

namespace pycheck {
namespace {

// So many, as a crowd takes longer to bring together than to look at.
constexpr int kRuns = 40;

class Crowd {
 public:
  explicit Crowd(int64_t size) {
    for (int64_t i = 0; i < size; ++i) {
      processes_.push_back(std::make_unique<ChildProcess>(TellAndWait));
    }
  }

 private:
  std::vector<std::unique_ptr<ChildProcess>> processes_;
};

void ListUnrelated(benchmark::State& state) {
  const Crowd crowd(state.range(0));
  const Procfs procfs = *Procfs::Open("/proc");
  std::vector<ListedProcess> listed;
  for (auto _ : state) benchmark::DoNotOptimize(procfs.ListProcesses(listed));
  state.counters["processes"] = static_cast<double>(listed.size());
}
BENCHMARK(ListUnrelated)->Iterations(kRuns)->Arg(5000);

void ReadClocks(benchmark::State& state) {
  const Crowd crowd(state.range(0));
  const Procfs procfs = *Procfs::Open("/proc");
  std::vector<ListedProcess> listed;
  (void)procfs.ListProcesses(listed).ok();
  for (auto _ : state) {
    for (const ListedProcess& each : listed) {
      benchmark::DoNotOptimize(ProcessCpuNanoseconds(each.pid));
    }
  }
  state.counters["processes"] = static_cast<double>(listed.size());
}
BENCHMARK(ReadClocks)->Iterations(kRuns)->Arg(5000);

void DiscoverAmongUnrelated(benchmark::State& state) {
  const Crowd crowd(state.range(0));
  const Procfs procfs = *Procfs::Open("/proc");
  std::vector<ListedProcess> listed;
  (void)procfs.ListProcesses(listed).ok();
  const absl::StatusOr<Options> options = ParseOptions(
      nullptr, *ParseYaml("{name: app, search_string: [no-such-process]}"));
  Selection selection(options->criteria);
  const auto update = [&] {
    const Deadline deadline(absl::Seconds(60));
    if (!selection.Update(procfs, deadline).ok()) state.SkipWithError("failed");
  };
  for (int first = 0; first < 3; ++first) update();
  for (auto _ : state) update();
  state.counters["processes"] = static_cast<double>(listed.size());
}
BENCHMARK(DiscoverAmongUnrelated)->Iterations(kRuns)->Arg(5000);

}  // namespace
}  // namespace pycheck

// What it costs to read the counts of another process's collector, alone: for
// the scripts beside this file, which call it from Python.

#include <sys/types.h>

#include <ctime>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "lib/cpython/binary.h"
#include "lib/cpython/generations.h"
#include "lib/process/collector.h"
#include "lib/procfs/procfs.h"

namespace pycheck {
namespace {

long long CpuNanoseconds() {
  timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return used.tv_sec * 1'000'000'000LL + used.tv_nsec;
}

// CPU time of so many readings; -1 when one gave no counts. With `anew` each
// is a first one: nothing is known of the process, nor of any program.
long long Measure(pid_t pid, int readings, bool anew) {
  const absl::StatusOr<Procfs> procfs = Procfs::Open("/proc");
  if (!procfs.ok()) return -1;
  std::optional<Collector> collector(std::in_place);
  std::optional<Binaries> binaries(std::in_place);
  const auto read = [&] {
    const absl::StatusOr<std::optional<GcCounts>> counts =
        collector->Read(*procfs, pid, /*size_pages=*/1, *binaries);
    return counts.ok() && counts->has_value();
  };
  if (!read()) return -1;
  const long long begin = CpuNanoseconds();
  for (int i = 0; i < readings; ++i) {
    if (anew) {
      collector.emplace();
      binaries.emplace();
    }
    if (!read()) return -1;
  }
  return CpuNanoseconds() - begin;
}

}  // namespace
}  // namespace pycheck

extern "C" __attribute__((visibility("default"))) long long GcCountsFirst(
    int pid, int readings) {
  return pycheck::Measure(pid, readings, /*anew=*/true);
}

extern "C" __attribute__((visibility("default"))) long long GcCountsAgain(
    int pid, int readings) {
  return pycheck::Measure(pid, readings, /*anew=*/false);
}

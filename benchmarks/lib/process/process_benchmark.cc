// The first reading of a process: of a file that is known from another process,
// and of a new one.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <vector>

#include "lib/process/process.h"
#include "lib/procfs/procfs.h"
#include "tests/testing/python_process.h"

namespace pycheck {
namespace {

void Attach(benchmark::State& state, const Procfs& procfs, pid_t pid,
            Binaries& binaries) {
  absl::StatusOr<Process> process = Process::Open(procfs, pid);
  const absl::StatusOr<Reading> reading = process->Read({.procfs = procfs,
                                                         .taskstats = nullptr,
                                                         .binaries = binaries,
                                                         .user = false});
  if (!reading.ok() || !reading->gc_counts) state.SkipWithError("not read");
}

void AttachToKnown(benchmark::State& state) {
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  const Procfs procfs = *Procfs::Open("/proc");
  Binaries binaries;
  Attach(state, procfs, python.pid(), binaries);
  for (auto _ : state) Attach(state, procfs, python.pid(), binaries);
}
BENCHMARK(AttachToKnown);

void AttachToNew(benchmark::State& state) {
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  const Procfs procfs = *Procfs::Open("/proc");
  for (auto _ : state) {
    Binaries binaries;
    Attach(state, procfs, python.pid(), binaries);
  }
}
BENCHMARK(AttachToNew);

// What no way round it is: the files opened, read once, and closed again.
void BareAttach(benchmark::State& state) {
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  const Procfs procfs = *Procfs::Open("/proc");
  std::array<char, size_t{32} << 10> buffer;
  for (auto _ : state) {
    for (const char* name : {"stat", "statm", "maps", "status", "cgroup"}) {
      const absl::StatusOr<UniqueFd> fd = procfs.OpenFile(python.pid(), name);
      benchmark::DoNotOptimize(
          pread(fd->get(), buffer.data(), buffer.size(), 0));
    }
    benchmark::DoNotOptimize(procfs.OpenFile(python.pid(), "mem"));
    std::vector<pid_t> descriptors;
    const absl::StatusOr<UniqueFd> directory =
        procfs.OpenFile(python.pid(), "fd", O_DIRECTORY);
    if (!ListIds(directory->get(), descriptors).ok()) {
      state.SkipWithError("no descriptors");
    }
  }
}
BENCHMARK(BareAttach);

}  // namespace
}  // namespace pycheck

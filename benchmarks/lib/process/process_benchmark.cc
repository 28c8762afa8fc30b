// The first reading of a process: of a file that is known from another process,
// and of a new one.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/process/process.h"
#include "lib/procfs/maps.h"
#include "lib/procfs/procfs.h"
#include "tests/testing/python_process.h"

namespace pycheck {
namespace {

void Attach(benchmark::State& state, const Procfs& procfs, pid_t pid,
            Binaries& binaries) {
  absl::StatusOr<Process> process = Process::Open(procfs, pid);
  const absl::StatusOr<Reading> reading =
      process->Read({.procfs = procfs,
                     .taskstats = nullptr,
                     .binaries = binaries,
                     .user = false,
                     .silent_tracer = false});
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

// The same system calls and nothing else: files opened, read and closed, the
// process's descriptors looked at, and as many places of its memory read.
void BareAttach(benchmark::State& state) {
  constexpr int kPages = 6;
  constexpr int kPlaces = 16;
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  const Procfs procfs = *Procfs::Open("/proc");
  const UniqueFd maps = *procfs.OpenFile(python.pid(), "maps");
  const auto image =
      static_cast<off_t>(ReadMappedImages(maps.get())->front().base);
  std::array<char, size_t{32} << 10> buffer;
  std::vector<pid_t> descriptors;
  for (auto _ : state) {
    for (const char* name : {"stat", "statm", "maps", "status", "cgroup"}) {
      const absl::StatusOr<UniqueFd> fd = procfs.OpenFile(python.pid(), name);
      benchmark::DoNotOptimize(
          pread(fd->get(), buffer.data(), buffer.size(), 0));
    }
    const absl::StatusOr<UniqueFd> mem = procfs.OpenFile(python.pid(), "mem");
    for (int i = 0; i < kPages + kPlaces; ++i) {
      benchmark::DoNotOptimize(
          pread(mem->get(), buffer.data(), i < kPages ? 4096 : 16, image));
    }
    const absl::StatusOr<UniqueFd> directory =
        procfs.OpenFile(python.pid(), "fd", O_DIRECTORY);
    if (!ListIds(directory->get(), descriptors).ok()) {
      state.SkipWithError("no descriptors");
    }
    for (const pid_t descriptor : descriptors) {
      benchmark::DoNotOptimize(readlinkat(directory->get(),
                                          absl::StrCat(descriptor).c_str(),
                                          buffer.data(), buffer.size()));
    }
  }
}
BENCHMARK(BareAttach);

}  // namespace
}  // namespace pycheck

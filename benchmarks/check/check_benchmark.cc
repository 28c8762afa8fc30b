// Runs of the check: over one process, beside the bare reads of the same data
// from descriptors that are held open; over processes that are large in one way
// or another; and over crowds.

#include <benchmark/benchmark.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "benchmarks/check/null_sink.h"
#include "lib/base/file.h"
#include "lib/check/check.h"
#include "lib/config/document.h"
#include "lib/config/options.h"
#include "lib/procfs/cpu_clock.h"
#include "lib/procfs/maps.h"
#include "lib/procfs/mem.h"
#include "lib/procfs/procfs.h"
#include "lib/procfs/taskstats.h"
#include "tests/testing/child_process.h"
#include "tests/testing/python_process.h"

namespace pycheck {
namespace {

// With its parent as a tag a process is read as one that has run, in each run.
constexpr char kAsAtWork[] = ", tag_by: [ppid]";

Check MakeCheck(const std::string& options) {
  const absl::StatusOr<Options> parsed =
      ParseOptions(nullptr, *ParseYaml(absl::StrCat("{name: app, ", options)));
  return *Check::Create(*parsed, "/proc");
}

void Run(benchmark::State& state, Check& check, NullSink& sink) {
  if (!check.Collect().ok()) state.SkipWithError("the process has gone");
  check.Report(sink, /*tagger=*/nullptr);
}

void RunOver(benchmark::State& state, const PythonProcess& python,
             const std::string& options) {
  AwaitRest(python.pid());
  Check check = MakeCheck(absl::StrCat("pid: ", python.pid(), options, "}"));
  NullSink sink;
  for (int first = 0; first < 3; ++first) Run(state, check, sink);
  for (auto _ : state) Run(state, check, sink);
}

void RunOverWaiting(benchmark::State& state, const std::string& options) {
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  RunOver(state, python, options);
}

void CheckRunAtRest(benchmark::State& state) { RunOverWaiting(state, ""); }
BENCHMARK(CheckRunAtRest);

void CheckRunAtWork(benchmark::State& state) {
  RunOverWaiting(state, kAsAtWork);
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
    ssize_t length = pread(stat.get(), buffer.data(), buffer.size(), 0) +
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

// Each makes itself as large as its argument says, tells, and waits.
void RunOverLarge(benchmark::State& state, const std::string& script) {
  PythonProcess python(AnyPython().executable, script,
                       {absl::StrCat(state.range(0))});
  if (python.ReadLine() != "up") {
    state.SkipWithError("the process cannot become so large");
    return;
  }
  RunOver(state, python, "");
}

constexpr char kTellsAndWaits[] =
    "print('up', flush=True)\n"
    "sys.stdin.readline()\n";

void AtRestByThreads(benchmark::State& state) {
  RunOverLarge(state, absl::StrCat("import sys, threading\n"
                                   "lock = threading.Lock()\n"
                                   "lock.acquire()\n"
                                   "threading.stack_size(65536)\n"
                                   "for _ in range(int(sys.argv[1]) - 1):\n"
                                   "  threading.Thread(target=lock.acquire,\n"
                                   "                   daemon=True).start()\n",
                                   kTellsAndWaits));
}
BENCHMARK(AtRestByThreads)->Arg(1)->Arg(10)->Arg(100)->Arg(1000);

// Neighbours with other rights do not become one mapping.
void AtRestByMappings(benchmark::State& state) {
  RunOverLarge(state,
               absl::StrCat("import mmap, sys\n"
                            "maps = [mmap.mmap(-1, 4096, mmap.MAP_PRIVATE,\n"
                            "                  mmap.PROT_READ | i % 2 * 2)\n"
                            "        for i in range(int(sys.argv[1]))]\n",
                            kTellsAndWaits));
}
BENCHMARK(AtRestByMappings)->Arg(100)->Arg(1000)->Arg(60000);

void AtRestByHeapMegabytes(benchmark::State& state) {
  RunOverLarge(state, absl::StrCat("import sys\n"
                                   "heap = bytearray(int(sys.argv[1]) << 20)\n"
                                   "for i in range(0, len(heap), 4096):\n"
                                   "  heap[i] = 1\n",
                                   kTellsAndWaits));
}
BENCHMARK(AtRestByHeapMegabytes)->Arg(10)->Arg(100)->Arg(1000)->Arg(4096);

// Pythons that wait, all with one word in their command lines. They end with
// their standard input.
class Crowd {
 public:
  explicit Crowd(int64_t size)
      : word_(absl::StrCat("crowd-", getpid(), "-", ++crowds_, "-")) {
    // It inherits those that the first one leaves behind.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    first_ = std::make_unique<PythonProcess>(
        AnyPython().executable,
        "import os, sys\n"
        "for _ in range(int(sys.argv[2]) - 1):\n"
        "  if os.fork() == 0: break\n"
        "else: os.write(1, b'up\\n')\n"
        "os.read(0, 1)\n",
        std::vector<std::string>{word_, absl::StrCat(size)});
    first_->ReadLine();
    AwaitRest(first_->pid());
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
  ~Crowd() {
    first_.reset();
    while (waitpid(-1, nullptr, 0) > 0) continue;
  }

  const std::string& word() const { return word_; }

 private:
  static inline int crowds_ = 0;

  std::string word_;
  std::unique_ptr<PythonProcess> first_;
};

void RunOverCrowd(benchmark::State& state, const std::string& more_options) {
  const Crowd crowd(state.range(0));
  const size_t before = mallinfo2().uordblks;
  auto check = std::make_unique<Check>(MakeCheck(
      absl::StrCat("exact_match: false, search_string: ['", crowd.word(),
                   "'], time_budget: 60", more_options, "}")));
  NullSink sink;
  for (int first = 0; first < 3; ++first) Run(state, *check, sink);
  const size_t after = mallinfo2().uordblks;
  sink.Forget();
  for (auto _ : state) Run(state, *check, sink);
  const auto processes = static_cast<double>(state.range(0));
  if (sink.resident_sizes() != state.iterations() * state.range(0)) {
    state.SkipWithError("a process was left out");
  }
  state.counters["processes"] = processes;
  state.counters["bytes_per_process"] =
      static_cast<double>(after - before) / processes;
}

// So many, as a crowd takes longer to bring together than to look at.
constexpr int kRuns = 40;

void CrowdAtRest(benchmark::State& state) { RunOverCrowd(state, ""); }
BENCHMARK(CrowdAtRest)
    ->Iterations(kRuns)
    ->Arg(10)
    ->Arg(100)
    ->Arg(1000)
    ->Arg(3000);

void CrowdAtWork(benchmark::State& state) { RunOverCrowd(state, kAsAtWork); }
BENCHMARK(CrowdAtWork)
    ->Iterations(kRuns)
    ->Arg(10)
    ->Arg(100)
    ->Arg(1000)
    ->Arg(3000);

// What no run can do without: the listing, all clocks, and statm of the crowd,
// from descriptors that are held open.
void CrowdBareReads(benchmark::State& state) {
  const Crowd crowd(state.range(0));
  const Procfs procfs = *Procfs::Open("/proc");
  std::vector<ListedProcess> listed;
  (void)procfs.ListProcesses(listed).ok();
  std::vector<UniqueFd> statm;
  for (const ListedProcess& each : listed) {
    const auto line = ReadCommandLine(procfs, each.pid);
    if (!line.ok() || !absl::StrContains(*line, crowd.word())) continue;
    statm.push_back(*procfs.OpenFile(each.pid, "statm"));
  }
  std::array<char, 256> buffer;
  for (auto _ : state) {
    (void)procfs.ListProcesses(listed).ok();
    for (const ListedProcess& each : listed) {
      benchmark::DoNotOptimize(ProcessCpuNanoseconds(each.pid));
    }
    for (const UniqueFd& fd : statm) {
      benchmark::DoNotOptimize(
          pread(fd.get(), buffer.data(), buffer.size(), 0));
    }
  }
}
BENCHMARK(CrowdBareReads)->Iterations(kRuns)->Arg(10)->Arg(1000)->Arg(3000);

// With fewer descriptors than it takes to hold the processes' files open.
void CrowdWith1024Descriptors(benchmark::State& state) {
  rlimit all;
  getrlimit(RLIMIT_NOFILE, &all);
  const rlimit few = {.rlim_cur = 1024, .rlim_max = all.rlim_max};
  setrlimit(RLIMIT_NOFILE, &few);
  RunOverCrowd(state, "");
  setrlimit(RLIMIT_NOFILE, &all);
}
BENCHMARK(CrowdWith1024Descriptors)->Iterations(kRuns)->Arg(3000);

}  // namespace
}  // namespace pycheck

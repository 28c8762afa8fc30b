#include "lib/process/process.h"

#include <array>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/procfs/cpu_clock.h"
#include "lib/procfs/stat.h"
#include "lib/procfs/statm.h"
#include "lib/procfs/status.h"

namespace pycheck {
namespace {

// Both files are one line of numbers; a comm adds at most 64 bytes.
constexpr size_t kStatSize = 2048;

absl::StatusOr<Stat> ReadStat(int fd, std::array<char, kStatSize>& buffer) {
  const absl::StatusOr<std::string_view> text =
      ReadFromStart(fd, absl::MakeSpan(buffer), "stat");
  if (!text.ok()) return text.status();
  absl::StatusOr<Stat> stat = ParseStat(*text);
  if (stat.ok() && (stat->state == 'Z' || stat->state == 'X')) {
    return absl::NotFoundError("the process has ended");
  }
  return stat;
}

absl::StatusOr<Statm> ReadStatm(int fd) {
  std::array<char, 256> buffer;
  const absl::StatusOr<std::string_view> text =
      ReadFromStart(fd, absl::MakeSpan(buffer), "statm");
  if (!text.ok()) return text.status();
  absl::StatusOr<Statm> statm = ParseStatm(*text);
  if (statm.ok() && statm->size_pages == 0) {
    return absl::NotFoundError("the process has no address space");
  }
  return statm;
}

// A thread has a directory in /proc as well, though none that is listed.
absl::Status CheckIsThreadGroup(const Procfs& procfs, pid_t pid) {
  constexpr size_t kLongest = size_t{64} << 10;
  const absl::StatusOr<std::string> status =
      ReadWholeFile(procfs.ProcessPath(pid, "status"), kLongest);
  if (!status.ok()) return status.status();
  const auto group = FindStatusField(*status, "Tgid");
  if (!group || *group == absl::StrCat(pid)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(pid, " is not a process but a thread of the process ",
                   *group, "; give that one"));
}

}  // namespace

absl::StatusOr<Process> Process::Open(const Procfs& procfs, pid_t pid) {
  absl::StatusOr<UniqueFd> stat = OpenFile(procfs.ProcessPath(pid, "stat"));
  if (!stat.ok()) return stat.status();
  absl::StatusOr<UniqueFd> statm = OpenFile(procfs.ProcessPath(pid, "statm"));
  if (!statm.ok()) return statm.status();
  Process process(pid, *std::move(stat), *std::move(statm));
  // Read last: that the first descriptor still answers proves that both are
  // the same process's.
  std::array<char, kStatSize> buffer;
  const absl::StatusOr<Stat> parsed = ReadStat(process.stat_.get(), buffer);
  if (!parsed.ok()) return parsed.status();
  process.start_ticks_ = parsed->start_ticks;
  process.start_stack_ = parsed->start_stack;
  const absl::Status leader = CheckIsThreadGroup(procfs, pid);
  if (!leader.ok()) return leader;
  return process;
}

absl::StatusOr<Reading> Process::Read(const Procfs& procfs,
                                      Taskstats* taskstats,
                                      Binaries& binaries) {
  Reading reading;
  const absl::StatusOr<ContextSwitches> switches =
      ReadSwitches(procfs, taskstats);
  if (switches.ok()) reading.switches = *switches;
  const absl::StatusOr<Statm> statm = ReadStatm(statm_.get());
  if (!statm.ok()) return statm.status();
  const auto gc_counts =
      collector_.Read(procfs, pid_, statm->size_pages, binaries);
  if (gc_counts.ok()) reading.gc_counts = *gc_counts;
  reading.resident_bytes = statm->resident_pages * PageSize();

  // The time and what is divided by it are read together.
  reading.boot_ns = BootNanoseconds();
  if (procfs.has_own_pids()) {
    const absl::StatusOr<int64_t> cpu_ns = ProcessCpuNanoseconds(pid_);
    if (cpu_ns.ok()) reading.cpu_ns = *cpu_ns;
  }
  // Read last: as this descriptor still answers, the pid was this process's
  // all the while, also for what was asked by pid. As the stack is where it was
  // before the memory was opened, that is this program's. (A child of vfork(2)
  // has its parent's memory until it executes a program.)
  std::array<char, kStatSize> buffer;
  const absl::StatusOr<Stat> stat = ReadStat(stat_.get(), buffer);
  if (!stat.ok()) return stat.status();
  if (absl::IsNotFound(gc_counts.status())) return gc_counts.status();
  if (stat->start_stack != start_stack_) {
    return absl::NotFoundError("the process has executed another program");
  }
  reading.user_ticks = stat->user_ticks;
  reading.system_ticks = stat->system_ticks;
  reading.thread_count = stat->thread_count;
  return reading;
}

absl::StatusOr<ContextSwitches> Process::ReadSwitches(const Procfs& procfs,
                                                      Taskstats* taskstats) {
  if (taskstats != nullptr) return taskstats->Query(pid_);
  return thread_switches_.Read(procfs, pid_);
}

}  // namespace pycheck

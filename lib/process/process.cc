#include "lib/process/process.h"

#include <sys/resource.h>

#include <array>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/procfs/cpu_clock.h"
#include "lib/procfs/stat.h"
#include "lib/procfs/statm.h"
#include "lib/procfs/status.h"

namespace pycheck {
namespace {

absl::StatusOr<Stat> ReadLivingStat(int fd, StatBuffer& buffer) {
  absl::StatusOr<Stat> stat = ReadStat(fd, buffer);
  if (stat.ok() && HasEnded(*stat)) {
    return absl::NotFoundError("the process has ended");
  }
  return stat;
}

// The kernel gives the lowest number that is free, so a descriptor's number is
// how many there are.
bool LeavesRoomForOthers(const UniqueFd& fd) {
  rlimit limit;
  return getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
         static_cast<rlim_t>(fd.get()) < limit.rlim_cur - limit.rlim_cur / 4;
}

absl::Status AnotherProgram() {
  return absl::NotFoundError("the process has executed another program");
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

}  // namespace

absl::StatusOr<Process> Process::Open(const Procfs& procfs, pid_t pid) {
  Process process(pid);
  const absl::StatusOr<Stat> stat = process.OpenFiles(procfs);
  if (!stat.ok()) return stat.status();
  process.start_ticks_ = stat->start_ticks;
  process.start_stack_ = stat->start_stack;
  return process;
}

// Gives what stat says when both files are open.
absl::StatusOr<Stat> Process::OpenFiles(const Procfs& procfs) {
  absl::StatusOr<UniqueFd> stat = procfs.OpenFile(pid_, "stat");
  if (!stat.ok()) return stat.status();
  absl::StatusOr<UniqueFd> statm = procfs.OpenFile(pid_, "statm");
  if (!statm.ok()) return statm.status();
  // Read last: that the first descriptor still answers proves that both are
  // the same process's.
  StatBuffer buffer;
  absl::StatusOr<Stat> parsed = ReadLivingStat(stat->get(), buffer);
  if (!parsed.ok()) return parsed.status();
  stat_ = *std::move(stat);
  statm_ = *std::move(statm);
  may_hold_files_ = LeavesRoomForOthers(statm_);
  parsed->comm = {};  // it is a view into what ends here
  return parsed;
}

absl::Status Process::Reopen(const Procfs& procfs) {
  const absl::StatusOr<Stat> stat = OpenFiles(procfs);
  if (!stat.ok()) return stat.status();
  absl::Status same = absl::OkStatus();
  if (stat->start_ticks != start_ticks_) {
    same = absl::NotFoundError("the process has ended, and another has its id");
  } else if (stat->start_stack != start_stack_) {
    same = AnotherProgram();
  }
  if (!same.ok()) Release();
  return same;
}

void Process::Release() {
  stat_ = UniqueFd();
  statm_ = UniqueFd();
  collector_.Release();
}

void Process::CloseSpareFiles() {
  if (may_hold_files_) return;
  stat_ = UniqueFd();
  statm_ = UniqueFd();
  collector_.Close();
}

absl::StatusOr<Reading> Process::Read(const Sources& sources) {
  const Procfs& procfs = sources.procfs;
  if (is_closed()) {
    const absl::Status opened = Reopen(procfs);
    if (!opened.ok()) return opened;
  }
  Reading reading;
  const absl::StatusOr<Statm> statm = ReadStatm(statm_.get());
  if (!statm.ok()) return statm.status();
  reading.resident_bytes = statm->resident_pages * PageSize();
  reading.size_pages = statm->size_pages;
  const auto gc_counts =
      collector_.Read(procfs, pid_, statm->size_pages, sources.binaries);
  if (gc_counts.ok()) reading.gc_counts = *gc_counts;
  if (absl::IsFailedPrecondition(gc_counts.status())) {
    Release();
    return gc_counts.status();
  }
  const absl::StatusOr<ContextSwitches> switches = ReadSwitches(sources);
  if (switches.ok()) reading.switches = *switches;
  if (sources.user) {
    const absl::StatusOr<uid_t> user = ReadUser(procfs, pid_);
    if (user.ok()) reading.user = *user;
  }
  origin_.Update(procfs, pid_, statm->size_pages, collector_.memory(),
                 collector_.TakeImages(), sources.binaries,
                 sources.silent_tracer);

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
  StatBuffer buffer;
  const absl::StatusOr<Stat> stat = ReadLivingStat(stat_.get(), buffer);
  if (!stat.ok()) return stat.status();
  if (absl::IsNotFound(gc_counts.status())) return gc_counts.status();
  if (stat->start_stack != start_stack_) return AnotherProgram();
  reading.user_ticks = stat->user_ticks;
  reading.system_ticks = stat->system_ticks;
  reading.thread_count = stat->thread_count;
  reading.parent = stat->parent;
  reading.comm = stat->comm;
  return reading;
}

absl::StatusOr<std::optional<Reading>> Process::ReadAtRest(
    const Procfs& procfs, const Reading& last) {
  if (is_closed()) {
    const absl::Status opened = Reopen(procfs);
    if (!opened.ok()) return opened;
  }
  int64_t thread_count = last.thread_count;
  if (thread_count > 1) {
    const absl::StatusOr<int64_t> threads = procfs.CountThreads(pid_);
    if (!threads.ok()) return threads.status();
    thread_count = *threads;
  }
  // Read last: that its descriptor still answers proves that the pid was this
  // process's.
  const absl::StatusOr<Statm> statm = ReadStatm(statm_.get());
  if (!statm.ok()) return statm.status();
  if (thread_count != last.thread_count ||
      statm->size_pages != last.size_pages) {
    return std::nullopt;
  }
  Reading reading = last;
  reading.resident_bytes = statm->resident_pages * PageSize();
  reading.boot_ns = BootNanoseconds();
  return reading;
}

absl::StatusOr<ContextSwitches> Process::ReadSwitches(const Sources& sources) {
  if (sources.taskstats != nullptr) return sources.taskstats->Query(pid_);
  return thread_switches_.Read(sources.procfs, pid_);
}

absl::StatusOr<std::string> Process::ReadName(const Procfs& procfs) const {
  absl::StatusOr<std::string> name = ReadProcessName(procfs, pid_);
  if (!name.ok()) return name.status();
  // As this still answers, it is this process's name.
  StatBuffer buffer;
  const absl::StatusOr<Stat> stat = ReadLivingStat(stat_.get(), buffer);
  if (!stat.ok()) return stat.status();
  return name;
}

}  // namespace pycheck

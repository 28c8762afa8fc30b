#include "lib/check/check.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/procfs/cpu_clock.h"
#include "lib/procfs/stat.h"
#include "lib/selection/selection.h"

namespace pycheck {
namespace {

constexpr char kGcReadable[] = "python.gc.readable";

// What a person can do about counts that are left out.
std::string_view Remedy(absl::StatusCode reason) {
  switch (reason) {
    case absl::StatusCode::kPermissionDenied:
      return "; give the Agent CAP_SYS_PTRACE, or run it as the user of these "
             "processes";
    case absl::StatusCode::kUnimplemented:
      return "; its other gauges are right";
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
      return "; it will be tried again";
    case absl::StatusCode::kResourceExhausted:
      return "; raise the Agent's limit of open files (LimitNOFILE)";
    default:
      return "";
  }
}

}  // namespace

absl::StatusOr<Check> Check::Create(Options options,
                                    const std::string& default_procfs_path) {
  const bool configured = !options.procfs_path.empty();
  absl::StatusOr<Procfs> procfs =
      Procfs::Open(configured ? options.procfs_path : default_procfs_path);
  if (!procfs.ok()) {
    return absl::Status(
        procfs.status().code(),
        absl::StrCat(configured ? "init_config option \"procfs_path\": " : "",
                     procfs.status().message(),
                     "; procfs_path must be where a procfs is mounted, such as "
                     "/proc, or /host/proc in a container"));
  }
  return Check(std::move(options), *std::move(procfs));
}

Check::Check(Options options, Procfs procfs)
    : options_(std::move(options)), procfs_(std::move(procfs)) {
  std::vector<std::string> tags = options_.tags;
  tags.push_back(absl::StrCat("process_name:", options_.name));
  tags_ = TagSet(std::move(tags));
  if (procfs_.has_own_pids()) {
    absl::StatusOr<Taskstats> taskstats = Taskstats::Open(procfs_);
    if (taskstats.ok()) taskstats_ = *std::move(taskstats);
  }
}

absl::Status Check::Collect() {
  const int64_t now = BootNanoseconds();
  const absl::StatusOr<std::vector<pid_t>> pids =
      SelectPids(options_.selector, procfs_);
  if (!pids.ok()) return pids.status();
  findings_.clear();
  absl::erase_if(watched_, [&](const auto& entry) {
    return !std::binary_search(pids->begin(), pids->end(), entry.first);
  });
  for (const pid_t pid : *pids) Follow(pid);
  last_run_boot_ns_ = now;
  NoteFindings();
  return absl::OkStatus();
}

void Check::Report(MetricSink& sink) {
  const auto& definitions = GaugeDefinitions();
  for (const auto& [pid, watched] : watched_) {
    // A process that holds no Python is followed, as it may load one, but it
    // has no runtime.python gauges.
    if (absl::IsFailedPrecondition(watched.process.collector_status())) {
      continue;
    }
    for (size_t i = 0; i < definitions.size(); ++i) {
      if (!watched.gauges[i]) continue;
      sink.Gauge(definitions[i].name, *watched.gauges[i], watched.tags);
    }
  }
  const std::string message = absl::StrJoin(
      findings_, ". ", [](std::string* text, const auto& finding) {
        text->append(finding.second);
      });
  sink.ServiceCheck(kGcReadable, Readable(), tags_, message);
  for (const std::string& warning : warnings_) sink.Warn(warning);
  warnings_.clear();
}

// Its tags change when the interpreter becomes known, or is another one.
void Check::UpdateTags(Watched& watched) const {
  const std::optional<Interpreter>& interpreter = watched.process.interpreter();
  if (!interpreter || watched.version == interpreter->version()) return;
  watched.version = interpreter->version();
  watched.tags = ProcessTags(watched.process);
}

TagSet Check::ProcessTags(const Process& process) const {
  std::vector<std::string> tags = tags_.tags();
  tags.push_back(absl::StrCat("pid:", process.pid()));
  if (const auto& interpreter = process.interpreter()) {
    tags.push_back(
        absl::StrCat("lang_interpreter:", interpreter->implementation()));
    if (!interpreter->version().empty()) {
      tags.push_back(absl::StrCat("lang_version:", interpreter->version()));
    }
  }
  return TagSet(std::move(tags));
}

// Takes the next reading of a process that was chosen again, or begins with a
// new one.
void Check::Follow(pid_t pid) {
  std::optional<uint64_t> known_start;
  if (const auto found = watched_.find(pid); found != watched_.end()) {
    Watched& watched = found->second;
    absl::StatusOr<Reading> reading = watched.process.Read(
        procfs_, taskstats_ ? &*taskstats_ : nullptr, binaries_);
    if (reading.ok()) {
      watched.gauges = ComputeGauges({&watched.last, *reading});
      watched.last = *std::move(reading);
      UpdateTags(watched);
      return;
    }
    known_start = watched.process.start_ticks();
    watched_.erase(found);
  }
  absl::StatusOr<Watched> watched = StartWatching(pid, known_start);
  if (watched.ok()) {
    watched_.emplace(pid, *std::move(watched));
  } else if (!absl::IsNotFound(watched.status())) {
    findings_[watched.status().code()] =
        absl::StrCat("pid ", pid, " is left out: ", watched.status().message(),
                     Remedy(watched.status().code()));
  }
}

// `known_start` is when the process began that had this pid until now: one that
// began at the same time is that process, with another program.
absl::StatusOr<Check::Watched> Check::StartWatching(
    pid_t pid, std::optional<uint64_t> known_start) {
  absl::StatusOr<Process> process = Process::Open(procfs_, pid);
  if (!process.ok()) return process.status();
  absl::StatusOr<Reading> reading =
      process->Read(procfs_, taskstats_ ? &*taskstats_ : nullptr, binaries_);
  if (!reading.ok()) return reading.status();

  const uint64_t start = process->start_ticks();
  const bool from_birth = start != known_start && BornSinceLastRun(*process);
  const Reading birth = ReadingAtBirth(start);
  const Gauges gauges =
      ComputeGauges({from_birth ? &birth : nullptr, *reading});
  std::optional<std::string> version;
  if (process->interpreter()) version = process->interpreter()->version();
  TagSet tags = ProcessTags(*process);
  return Watched{.process = *std::move(process),
                 .version = std::move(version),
                 .tags = std::move(tags),
                 .last = *std::move(reading),
                 .gauges = gauges};
}

// In whole ticks: a process that began in the tick of the last run was not
// there to be chosen by it.
bool Check::BornSinceLastRun(const Process& process) const {
  if (!last_run_boot_ns_) return false;
  const int64_t tick_ns = 1'000'000'000 / TicksPerSecond();
  return process.start_ticks() >=
         static_cast<uint64_t>(*last_run_boot_ns_ / tick_ns);
}

// Puts together what the processes' collectors came to: the service check, and
// what there is to warn of.
void Check::NoteFindings() {
  absl::btree_map<absl::StatusCode, std::vector<const Process*>> by_reason;
  for (const auto& [pid, watched] : watched_) {
    by_reason[watched.process.collector_status().code()].push_back(
        &watched.process);
  }
  by_reason.erase(absl::StatusCode::kOk);
  for (const auto& [reason, processes] : by_reason) {
    const Process& first = *processes.front();
    findings_[reason] =
        reason == absl::StatusCode::kFailedPrecondition
            ? absl::StrCat(processes.size(), " of ", watched_.size(),
                           " processes hold no Python and are left out (the "
                           "first is pid ",
                           first.pid(), ")")
            : absl::StrCat("runtime.python.gc.count.* is left out for ",
                           processes.size(), " of ", watched_.size(),
                           " processes (the first is pid ", first.pid(),
                           "): ", first.collector_status().message(),
                           Remedy(reason));
  }
  if (watched_.empty()) {
    findings_[absl::StatusCode::kNotFound] =
        absl::StrCat("no process matches the instance \"", options_.name, "\"");
  }
  for (const auto& [kind, message] : findings_) {
    if (!warned_.contains(kind)) warnings_.push_back(message);
  }
  warned_.clear();
  for (const auto& [kind, message] : findings_) warned_.insert(kind);
}

ServiceStatus Check::Readable() const {
  if (watched_.empty()) return ServiceStatus::kUnknown;
  return findings_.contains(absl::StatusCode::kPermissionDenied)
             ? ServiceStatus::kWarning
             : ServiceStatus::kOk;
}

}  // namespace pycheck

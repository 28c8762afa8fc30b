#include "lib/check/watchlist.h"

#include <algorithm>
#include <variant>

#include "lib/base/users.h"
#include "lib/procfs/cpu_clock.h"
#include "lib/procfs/stat.h"

namespace pycheck {
namespace {

// In whole ticks: a process that began in the tick of the last run was not
// there to be chosen by it.
bool WasBornSince(std::optional<int64_t> run_ns, const Process& process) {
  if (!run_ns) return false;
  const int64_t tick_ns = 1'000'000'000 / TicksPerSecond();
  return process.start_ticks() >= static_cast<uint64_t>(*run_ns / tick_ns);
}

bool IsOpen(const Watched& watched) {
  return watched.process && !watched.process->is_released();
}

// A comm of this length may be a cut one.
constexpr size_t kMaxComm = 15;

}  // namespace

Watchlist::Watchlist(const Options& options,
                     std::vector<std::string> instance_tags)
    : instance_tags_(std::move(instance_tags)),
      tag_by_(options.tag_by),
      limit_(options.limit),
      only_python_(
          std::holds_alternative<DiscoverSelector>(options.criteria.selector)) {
}

void Watchlist::Update(const std::vector<Chosen>& chosen,
                       const Sources& sources, const Deadline& deadline,
                       std::optional<int64_t> last_run_ns) {
  const Run run{.sources = sources,
                .last_run_ns = last_run_ns,
                .now_ns = BootNanoseconds()};
  Enlist(chosen, run.now_ns);
  queue_.clear();
  for (const Chosen& each : chosen) {
    const Watched& watched = processes_.at(each.pid);
    if (IsToBeServed(each, watched)) {
      queue_.emplace_back(watched.served_ns, &each);
    }
  }
  std::sort(queue_.begin(), queue_.end());
  size_t served = 0;
  for (const auto& [since, next] : queue_) {
    if (served > 0 && deadline.HasPassed()) break;
    Serve(run, *next, processes_.at(next->pid));
    ++served;
  }
  carried_ = static_cast<int>(queue_.size() - served);
  absl::erase_if(processes_, [](const auto& entry) {
    return entry.second.state == Watched::State::kEnded;
  });
}

// Drops who is no longer chosen, and adds who is new.
void Watchlist::Enlist(const std::vector<Chosen>& chosen, int64_t now_ns) {
  absl::erase_if(processes_, [&](const auto& entry) {
    const auto place = std::lower_bound(
        chosen.begin(), chosen.end(), entry.first,
        [](const Chosen& each, pid_t pid) { return each.pid < pid; });
    return place == chosen.end() || place->pid != entry.first;
  });
  open_ = 0;
  for (auto& [pid, watched] : processes_) {
    watched.is_fresh = false;
    if (IsOpen(watched)) ++open_;
  }
  room_ = limit_ - open_;
  for (const Chosen& each : chosen) {
    const auto [entry, is_new] = processes_.try_emplace(each.pid);
    if (is_new) entry->second.served_ns = now_ns;
  }
}

bool Watchlist::IsToBeServed(const Chosen& chosen, const Watched& watched) {
  switch (watched.state) {
    case Watched::State::kNoPython:
    case Watched::State::kUnseen:
      return chosen.may_have_changed;
    case Watched::State::kOverLimit:
      return room_-- > 0;
    default:
      return true;
  }
}

void Watchlist::Serve(const Run& run, const Chosen& chosen, Watched& watched) {
  if (IsOpen(watched)) --open_;
  watched.served_ns = run.now_ns;
  std::optional<uint64_t> known_start;
  absl::Status status;
  if (watched.process) {
    status = Read(run, watched);
    if (absl::IsNotFound(status)) {
      // It may have executed another program.
      known_start = watched.process->start_ticks();
      watched.process.reset();
    }
  }
  if (!watched.process) status = Start(run, chosen, watched, known_start);
  Settle(watched, std::move(status));
  if (IsOpen(watched)) ++open_;
}

// `known_start` is when the process began that had this pid until now: one that
// began at the same time is that process, with another program.
absl::Status Watchlist::Start(const Run& run, const Chosen& chosen,
                              Watched& watched,
                              std::optional<uint64_t> known_start) {
  const Procfs& procfs = run.sources.procfs;
  watched.last.reset();
  watched.traits = Traits();
  watched.tags = TagSet();
  absl::StatusOr<Process> process = Process::Open(procfs, chosen.pid);
  if (!process.ok()) return process.status();
  // That it can still be read afterwards proves that it had the pid now.
  if (chosen.inode != 0) {
    const absl::StatusOr<uint64_t> inode = procfs.ReadInode(chosen.pid);
    if (!inode.ok()) return inode.status();
    if (*inode != chosen.inode) {
      return absl::NotFoundError("another process has its id");
    }
  }
  if (process->start_ticks() != known_start &&
      WasBornSince(run.last_run_ns, *process)) {
    watched.last = ReadingAtBirth(process->start_ticks());
  }
  watched.process = *std::move(process);
  return Read(run, watched);
}

absl::Status Watchlist::Read(const Run& run, Watched& watched) {
  absl::StatusOr<Reading> reading = watched.process->Read(run.sources);
  if (!reading.ok()) return reading.status();
  watched.gauges =
      ComputeGauges({watched.last ? &*watched.last : nullptr, *reading});
  const bool renamed = !watched.last || watched.last->comm != reading->comm;
  watched.last = *std::move(reading);
  Traits traits = ReadTraits(run.sources.procfs, watched, renamed);
  if (traits != watched.traits) {
    watched.tags = SeriesTags(instance_tags_, tag_by_, traits);
    watched.traits = std::move(traits);
  }
  return absl::OkStatus();
}

// Notes what came of looking at a process.
void Watchlist::Settle(Watched& watched, absl::Status status) const {
  const auto set_aside = [&](Watched::State state, absl::Status problem) {
    watched.state = state;
    watched.problem = std::move(problem);
    watched.last.reset();
    if (watched.process) watched.process->Release();
  };
  if (absl::IsNotFound(status)) {
    watched.state = Watched::State::kEnded;
  } else if (absl::IsFailedPrecondition(status)) {
    set_aside(Watched::State::kNoPython, std::move(status));
  } else if (!status.ok()) {
    watched.state = Watched::State::kFailed;
    watched.problem = std::move(status);
  } else if (only_python_ &&
             absl::IsPermissionDenied(watched.process->collector_status())) {
    set_aside(Watched::State::kUnseen, watched.process->collector_status());
  } else if (open_ >= limit_) {
    set_aside(Watched::State::kOverLimit, absl::OkStatus());
  } else {
    watched.state = Watched::State::kReported;
    watched.is_fresh = true;
  }
}

// Only what becomes a tag is found out. A traits' pid is never 0, so those of a
// new process differ from what it had before.
Traits Watchlist::ReadTraits(const Procfs& procfs, const Watched& watched,
                             bool renamed) {
  const Process& process = *watched.process;
  Traits traits;
  traits.pid = process.pid();
  if (tag_by_.parent) traits.parent = watched.last->parent;
  if (tag_by_.user && watched.last->user) {
    traits.user = NameOfUser(*watched.last->user);
  }
  if (tag_by_.command) {
    traits.command = renamed ? watched.last->comm : watched.traits.command;
    if (renamed && traits.command.size() >= kMaxComm) {
      traits.command = process.ReadName(procfs).value_or(traits.command);
    }
  }
  if (const auto& interpreter = process.interpreter()) {
    traits.implementation = interpreter->implementation();
    traits.version = interpreter->version();
  } else {
    // It is still what it was, though its collector could not be read.
    traits.implementation = watched.traits.implementation;
    traits.version = watched.traits.version;
  }
  return traits;
}

const std::string& Watchlist::NameOfUser(uid_t user) {
  const auto [entry, is_new] = user_names_.try_emplace(user);
  if (is_new) entry->second = UserName(user);
  return entry->second;
}

}  // namespace pycheck

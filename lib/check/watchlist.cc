#include "lib/check/watchlist.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"
#include "lib/base/users.h"
#include "lib/procfs/cpu_clock.h"
#include "lib/procfs/stat.h"
#include "lib/sample/service_tags.h"
#include "lib/sample/tracer_tags.h"

namespace pycheck {
namespace {

// In whole ticks: a process that began in the same tick was not there yet.
bool WasBornSince(std::optional<int64_t> moment_ns, const Process& process) {
  if (!moment_ns) return false;
  const int64_t tick_ns = 1'000'000'000 / TicksPerSecond();
  return process.start_ticks() >= static_cast<uint64_t>(*moment_ns / tick_ns);
}

// Gives whether that changes it.
template <typename T, typename Value>
bool Assign(T& place, const Value& value) {
  if (place == value) return false;
  place = value;
  return true;
}

// Whether it is one of the `limit` that may be watched.
bool HasPlace(const Watched& watched) {
  switch (watched.state) {
    case Watched::State::kWaiting:
    case Watched::State::kReported:
    case Watched::State::kFailed:
      return watched.process.has_value();
    default:
      return false;
  }
}

}  // namespace

Watchlist::Watchlist(const Options& options,
                     std::vector<std::string> instance_tags)
    : instance_tags_(std::move(instance_tags)),
      tag_by_(options.tag_by),
      has_service_(options.has_service),
      skip_traced_(options.tracer_runtime_metrics ==
                   TracerRuntimeMetrics::kSkip),
      limit_(options.limit),
      only_python_(
          std::holds_alternative<DiscoverSelector>(options.criteria.selector)),
      tag_cardinality_(options.tag_cardinality) {}

void Watchlist::Update(const std::vector<Chosen>& chosen,
                       const Sources& sources, const Deadline& deadline) {
  const int64_t now_ns = BootNanoseconds();
  Enlist(chosen, now_ns);
  Queue(chosen);
  size_t served = 0;
  for (const Turn& turn : queue_) {
    if (served > 0 && deadline.HasPassed()) break;
    Serve(sources, *turn.chosen, now_ns);
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
  placed_ = 0;
  for (auto& [pid, watched] : processes_) {
    watched.is_fresh = false;
    if (HasPlace(watched)) ++placed_;
  }
  for (const Chosen& each : chosen) {
    const auto [entry, is_new] = processes_.try_emplace(each.pid);
    Watched& watched = entry->second;
    if (is_new) {
      watched.served_ns = now_ns;
      watched.unseen_until_ns = each.unseen_until_ns;
    }
    watched.has_changed = watched.has_changed || each.may_have_changed;
  }
}

// Whom to look at, the longest waiting first.
void Watchlist::Queue(const std::vector<Chosen>& chosen) {
  queue_.clear();
  int64_t room = limit_ - placed_;
  for (const Chosen& each : chosen) {
    const Watched& watched = processes_.at(each.pid);
    switch (watched.state) {
      case Watched::State::kNoPython:
      case Watched::State::kTraced:
      case Watched::State::kUnseen:
        if (watched.has_changed) queue_.push_back({watched.served_ns, &each});
        break;
      case Watched::State::kOverLimit:
        if (watched.has_changed || room-- > 0)
          queue_.push_back({watched.served_ns, &each});
        break;
      default:
        queue_.push_back({watched.served_ns, &each});
    }
  }
  std::sort(queue_.begin(), queue_.end(), [](const Turn& a, const Turn& b) {
    return std::pair(a.served_ns, a.chosen->pid) <
           std::pair(b.served_ns, b.chosen->pid);
  });
}

void Watchlist::Serve(const Sources& sources, const Chosen& chosen,
                      int64_t now_ns) {
  Watched& watched = processes_.at(chosen.pid);
  if (HasPlace(watched)) --placed_;
  absl::Status status;
  std::optional<uint64_t> known_start;
  if (watched.process) {
    status = IsAtRest(chosen, watched) ? ReadAtRest(sources, watched)
                                       : Read(sources, watched);
    if (absl::IsNotFound(status)) {
      // Another process has had the pid only since this one was looked at.
      known_start = watched.process->start_ticks();
      watched.unseen_until_ns = watched.served_ns;
      watched.process.reset();
    }
  }
  if (!watched.process) status = Start(sources, chosen, watched, known_start);
  watched.served_ns = now_ns;
  watched.has_changed = false;
  Settle(watched, std::move(status));
  if (watched.process) watched.process->CloseSpareFiles();
  if (HasPlace(watched)) ++placed_;
}

// `known_start` is when the process began that had this pid until now: one that
// began at the same time is that process, with another program.
absl::Status Watchlist::Start(const Sources& sources, const Chosen& chosen,
                              Watched& watched,
                              std::optional<uint64_t> known_start) {
  watched.state = Watched::State::kWaiting;
  watched.last.reset();
  watched.traits = Traits();
  watched.origin_version = 0;
  watched.container_version = 0;
  watched.tags = TagSet();
  absl::StatusOr<Process> process = Process::Open(sources.procfs, chosen.pid);
  if (!process.ok()) return process.status();
  // That it can still be read afterwards proves that it had the pid now.
  if (chosen.inode != 0) {
    const absl::StatusOr<uint64_t> inode = sources.procfs.ReadInode(chosen.pid);
    if (!inode.ok()) return inode.status();
    if (*inode != chosen.inode) {
      return absl::AbortedError("it has to be judged first");
    }
  } else {
    absl::Status leader = CheckIsProcess(sources.procfs, chosen.pid);
    if (!leader.ok()) return leader;
  }
  if (process->start_ticks() != known_start &&
      WasBornSince(watched.unseen_until_ns, *process)) {
    watched.last = ReadingAtBirth(process->start_ticks());
  }
  watched.unseen_until_ns.reset();
  watched.process = *std::move(process);
  return Read(sources, watched);
}

absl::Status Watchlist::Read(const Sources& sources, Watched& watched) {
  // As long as it is the same program, so is its tracer.
  if (watched.state == Watched::State::kTraced) {
    return watched.process->Reopen(sources.procfs);
  }
  absl::StatusOr<Reading> reading = watched.process->Read(sources);
  if (!reading.ok()) return reading.status();
  watched.gauges =
      ComputeGauges({watched.last ? &*watched.last : nullptr, *reading});
  const bool renamed = !watched.last || watched.last->comm != reading->comm;
  watched.last = *std::move(reading);
  if (UpdateTraits(sources.procfs, watched, renamed)) {
    watched.tags = SeriesTags(instance_tags_, tag_by_, watched.traits);
  }
  return absl::OkStatus();
}

// Whether, by its clock, all was read of it since it last ran. (It gets another
// parent without its doing.)
bool Watchlist::IsAtRest(const Chosen& chosen, const Watched& watched) const {
  return chosen.at_rest_since_ns &&
         watched.state == Watched::State::kReported && watched.last &&
         watched.last->boot_ns > *chosen.at_rest_since_ns &&
         watched.last->switches && watched.last->cpu_ns &&
         (watched.last->user || !tag_by_.user) && !tag_by_.parent &&
         watched.process->origin().is_settled() &&
         watched.process->collector_status().ok();
}

absl::Status Watchlist::ReadAtRest(const Sources& sources, Watched& watched) {
  absl::StatusOr<std::optional<Reading>> reading =
      watched.process->ReadAtRest(sources.procfs, *watched.last);
  if (!reading.ok()) return reading.status();
  if (!*reading) return Read(sources, watched);
  watched.gauges = ComputeGauges({&*watched.last, **reading});
  watched.last = **std::move(reading);
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
  } else if (absl::IsAborted(status)) {
    watched.state = Watched::State::kWaiting;
  } else if (absl::IsFailedPrecondition(status)) {
    set_aside(Watched::State::kNoPython, std::move(status));
  } else if (!status.ok()) {
    watched.state = Watched::State::kFailed;
    watched.problem = std::move(status);
  } else if (only_python_ &&
             absl::IsPermissionDenied(watched.process->collector_status())) {
    set_aside(Watched::State::kUnseen, watched.process->collector_status());
  } else if (IsLeftToTracer(watched)) {
    set_aside(Watched::State::kTraced, absl::OkStatus());
  } else if (placed_ >= limit_) {
    set_aside(Watched::State::kOverLimit, absl::OkStatus());
  } else {
    watched.state = Watched::State::kReported;
    watched.is_fresh = true;
  }
}

// Only what becomes a tag is found out. Gives whether anything has changed. A
// trait's pid is never 0, so those of a new process always have.
bool Watchlist::UpdateTraits(const Procfs& procfs, Watched& watched,
                             bool renamed) {
  const Process& process = *watched.process;
  const Reading& reading = *watched.last;
  Traits& traits = watched.traits;
  bool changed = Assign(traits.pid, process.pid());
  if (tag_by_.parent) changed |= Assign(traits.parent, reading.parent);
  if (tag_by_.user && reading.user) {
    changed |= Assign(traits.user, NameOfUser(*reading.user));
  }
  if (tag_by_.command && renamed) {
    const bool may_be_cut = reading.comm.size() >= kMaxComm;
    changed |=
        Assign(traits.command,
               may_be_cut ? process.ReadName(procfs).value_or(reading.comm)
                          : reading.comm);
  }
  // Where its collector could not be read, it is still what it was.
  if (const auto& interpreter = process.interpreter()) {
    changed |= Assign(traits.implementation, interpreter->implementation());
    changed |= Assign(traits.version, interpreter->version());
  }
  const Origin& origin = process.origin();
  if (watched.origin_version != origin.version()) {
    watched.origin_version = origin.version();
    changed |= Assign(
        traits.service,
        WithoutOwnService(ServiceTags(origin.environment(), origin.tracer())));
    if (Assign(traits.container_id, origin.container_id())) {
      watched.container_version = 0;
      traits.container.clear();
      changed = true;
    }
    if (origin.tracer()) {
      changed |= Assign(traits.tracer_version, origin.tracer()->version);
    }
    if (tag_by_.tracer && origin.is_open()) {
      changed |= Assign(traits.tracer,
                        TracerTags(origin.environment(), origin.tracer()));
    }
  }
  return changed;
}

bool Watchlist::IsLeftToTracer(const Watched& watched) const {
  const std::optional<Tracer>& tracer = watched.process->origin().tracer();
  return skip_traced_ && tracer && tracer->sends_runtime_metrics;
}

// The Agent adds a service that is configured.
std::vector<std::string> Watchlist::WithoutOwnService(
    std::vector<std::string> tags) const {
  if (has_service_) {
    std::erase_if(tags, [](const std::string& tag) {
      return TagKey(NormalizeTag(tag)) == "service";
    });
  }
  return tags;
}

void Watchlist::TagByContainer(ContainerTagger& tagger) {
  const int64_t now_ns = BootNanoseconds();
  for (auto& [pid, watched] : processes_) {
    const std::string& id = watched.traits.container_id;
    if (!watched.is_fresh || id.empty()) continue;
    const ContainerTags::Entry& known =
        container_tags_.Of(id, now_ns, tag_cardinality_, tagger);
    if (watched.container_version == known.version) continue;
    watched.container_version = known.version;
    watched.traits.container = WithoutOwnService(known.tags);
    watched.tags = SeriesTags(instance_tags_, tag_by_, watched.traits);
  }
  container_tags_.Prune(now_ns);
}

// The number, as long as the name cannot be looked up.
std::string Watchlist::NameOfUser(uid_t user) {
  if (const auto known = user_names_.find(user); known != user_names_.end()) {
    return known->second;
  }
  const absl::StatusOr<std::string> name = UserName(user);
  if (!name.ok()) return absl::StrCat(user);
  return user_names_[user] = *name;
}

}  // namespace pycheck

#include "lib/selection/selection.h"

#include <algorithm>

#include "lib/procfs/cpu_clock.h"
#include "lib/procfs/stat.h"

namespace pycheck {
namespace {

std::optional<int64_t> ReadClock(const Procfs& procfs, pid_t pid) {
  if (!procfs.has_own_pids()) return std::nullopt;
  const absl::StatusOr<int64_t> cpu_ns = ProcessCpuNanoseconds(pid);
  if (!cpu_ns.ok()) return std::nullopt;
  return *cpu_ns;
}

}  // namespace

absl::Status Selection::Update(const Procfs& procfs, const Deadline& deadline) {
  ++run_;
  now_ns_ = BootNanoseconds();
  chosen_.clear();
  waiting_ = 0;
  obstacle_ = absl::OkStatus();
  denied_ = 0;
  absl::Status prepared = matcher_.Prepare();
  if (!prepared.ok()) return prepared;
  if (matcher_.pid() && !matcher_.criteria().collect_children) {
    List({{.pid = *matcher_.pid(), .inode = 0}}, procfs);
  } else {
    const absl::StatusOr<std::vector<ListedProcess>> processes =
        procfs.ListProcesses();
    if (!processes.ok()) return processes.status();
    List(*processes, procfs);
  }
  JudgeWaiting(procfs, deadline);
  if (matcher_.criteria().collect_children) UpdateDescents(procfs);
  Choose();
  return absl::OkStatus();
}

// Takes up who is there, and finds out who has to be judged.
void Selection::List(const std::vector<ListedProcess>& processes,
                     const Procfs& procfs) {
  to_judge_.clear();
  for (const ListedProcess& process : processes) {
    const auto [entry, is_new] = known_.try_emplace(process.pid);
    Known& known = entry->second;
    if (is_new || known.inode != process.inode) {
      known = {.inode = process.inode, .first_seen_ns = now_ns_};
      descents_.erase(process.pid);
    }
    known.listed_in_run = run_;
    known.judged_now = false;
    const std::optional<int64_t> cpu_ns = ReadClock(procfs, process.pid);
    if (Stands(known, cpu_ns)) {
      if (known.denied) ++denied_;
      continue;
    }
    known.cpu_ns = cpu_ns;
    to_judge_.emplace_back(
        known.judged_ns != 0 ? known.judged_ns : known.first_seen_ns,
        process.pid);
  }
  absl::erase_if(known_, [&](const auto& entry) {
    return entry.second.listed_in_run != run_;
  });
}

bool Selection::Stands(const Known& known,
                       std::optional<int64_t> cpu_ns) const {
  if (known.judged_ns == 0) return false;
  if (cpu_ns && !known.denied) return cpu_ns == known.cpu_ns;
  if (known.inode == 0) return false;
  const int64_t age = known.judged_ns - known.first_seen_ns;
  return now_ns_ - known.judged_ns <
         (known.denied ? kLongestStand : std::min(kLongestStand, age));
}

void Selection::JudgeWaiting(const Procfs& procfs, const Deadline& deadline) {
  std::sort(to_judge_.begin(), to_judge_.end());
  size_t judged = 0;
  for (const auto& [since, pid] : to_judge_) {
    if (judged > 0 && deadline.HasPassed()) break;
    obstacle_ = Judge(procfs, pid, known_.at(pid));
    if (!obstacle_.ok()) break;
    ++judged;
  }
  waiting_ = to_judge_.size() - judged;
}

// An error means that it could not be judged, and none can.
absl::Status Selection::Judge(const Procfs& procfs, pid_t pid, Known& known) {
  const absl::StatusOr<Verdict> verdict = matcher_.Judge(procfs, pid);
  if (absl::IsResourceExhausted(verdict.status())) return verdict.status();
  known.verdict = verdict.value_or(Verdict());
  known.judged_ns = now_ns_;
  known.judged_now = true;
  known.denied = absl::IsPermissionDenied(verdict.status());
  if (known.denied) {
    ++denied_;
    denial_ = verdict.status();
  }
  return absl::OkStatus();
}

void Selection::UpdateDescents(const Procfs& procfs) {
  absl::erase_if(descents_, [&](const auto& entry) {
    return !known_.contains(entry.first);
  });
  for (const auto& [pid, known] : known_) {
    if (known.judged_now) ReadDescent(procfs, pid);
  }
  for (auto& [pid, descent] : descents_) {
    descent.from_selected.reset();
    if (LivingInode(descent.parent) != descent.parent_inode) {
      ReadDescent(procfs, pid);
    }
  }
}

void Selection::ReadDescent(const Procfs& procfs, pid_t pid) {
  // No process has this inode: what could not be read is read again.
  constexpr uint64_t kUnread = ~uint64_t{0};
  StatBuffer buffer;
  const absl::StatusOr<Stat> stat = ReadStat(procfs, pid, buffer);
  Descent& descent = descents_[pid];
  descent = {.parent_inode = kUnread};
  if (!stat.ok()) return;
  descent.parent = stat->parent;
  descent.parent_inode = LivingInode(stat->parent);
  descent.ended = HasEnded(*stat);
}

// 0 where no such process is known, or only what is left of one.
uint64_t Selection::LivingInode(pid_t pid) const {
  const auto known = known_.find(pid);
  if (known == known_.end()) return 0;
  const auto descent = descents_.find(pid);
  const bool ended = descent != descents_.end() && descent->second.ended;
  return ended ? 0 : known->second.inode;
}

// Whether it is selected or has an ancestor that is. What is found out of one
// holds for all on the way up to it.
bool Selection::ComesFromSelected(pid_t pid) {
  std::vector<Descent*> way;
  bool result = false;
  while (true) {
    const auto known = known_.find(pid);
    const auto descent = descents_.find(pid);
    if (known == known_.end() || descent == descents_.end()) break;
    if (descent->second.from_selected) {
      result = *descent->second.from_selected;
      break;
    }
    way.push_back(&descent->second);
    // Until more is known: no way up can lead round in a circle.
    descent->second.from_selected = false;
    if (known->second.verdict.selected) {
      result = true;
      break;
    }
    pid = descent->second.parent;
  }
  for (Descent* const descent : way) descent->from_selected = result;
  return result;
}

void Selection::Choose() {
  for (const auto& [pid, known] : known_) {
    if (!known.verdict.kept) continue;
    if (!known.verdict.selected &&
        !(matcher_.criteria().collect_children && ComesFromSelected(pid))) {
      continue;
    }
    chosen_.push_back({.pid = pid,
                       .inode = known.inode,
                       .may_have_changed = known.judged_now});
  }
  std::sort(chosen_.begin(), chosen_.end(),
            [](const Chosen& a, const Chosen& b) { return a.pid < b.pid; });
}

}  // namespace pycheck

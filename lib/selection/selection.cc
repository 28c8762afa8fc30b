#include "lib/selection/selection.h"

#include <algorithm>
#include <tuple>

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
  now_ns_ = BootNanoseconds();
  waiting_ = 0;
  obstacle_ = absl::OkStatus();
  absl::Status prepared = matcher_.Prepare();
  if (!prepared.ok()) return prepared;
  // Another pid is named: without anybody's doing, no verdict holds.
  if (matcher_.pid() != named_) {
    known_.clear();
    descents_.clear();
    named_ = matcher_.pid();
  }
  absl::Status listed = ListProcesses(procfs);
  if (absl::IsResourceExhausted(listed) && !known_.empty()) {
    obstacle_ = std::move(listed);
    for (Chosen& each : chosen_) each.at_rest_since_ns.reset();
    waiting_ = known_.size();
    return absl::OkStatus();
  }
  if (!listed.ok()) return listed;
  Enlist(procfs);
  JudgeWaiting(procfs, deadline);
  if (matcher_.criteria().collect_children) UpdateDescents(procfs);
  Choose();
  return absl::OkStatus();
}

// One whose pid is given need not be looked for, only its descendants.
absl::Status Selection::ListProcesses(const Procfs& procfs) {
  if (matcher_.pid() && !matcher_.criteria().collect_children) {
    listed_.assign(1, {.pid = *matcher_.pid(), .inode = 0});
    return absl::OkStatus();
  }
  return procfs.ListProcesses(listed_);
}

// Takes up who is there, and finds out who has to be judged. Both lists are in
// the order of the pids, so they are gone through side by side.
void Selection::Enlist(const Procfs& procfs) {
  due_.clear();
  denied_ = 0;
  std::swap(known_, before_);
  known_.clear();
  // With room for some more, so that they allocate nothing when they come.
  if (known_.capacity() < listed_.size()) {
    known_.reserve(listed_.size() + listed_.size() / 4);
  }
  auto before = before_.cbegin();
  for (const ListedProcess& process : listed_) {
    before = std::find_if(before, before_.cend(), [&](const Known& each) {
      return each.pid >= process.pid;
    });
    const bool is_known =
        before != before_.cend() && before->pid == process.pid;
    TakeUp(process, is_known ? &*before : nullptr);
    LookAt(procfs, known_.size() - 1);
  }
  last_listed_ns_ = now_ns_;
}

void Selection::TakeUp(const ListedProcess& process, const Known* before) {
  // One that was not looked for, and had no clock, was not there.
  const bool was_missing =
      before != nullptr && process.inode == 0 && !before->cpu_ns;
  if (before != nullptr && before->inode == process.inode && !was_missing) {
    known_.push_back(*before);
    return;
  }
  known_.push_back({.pid = process.pid,
                    .inode = process.inode,
                    .first_seen_ns = now_ns_,
                    .unseen_until_ns = last_listed_ns_});
  descents_.erase(process.pid);
}

// Whether it has to be judged.
void Selection::LookAt(const Procfs& procfs, size_t place) {
  Known& known = known_[place];
  known.judged_now = false;
  known.first_judged_now = false;
  const std::optional<int64_t> cpu_ns = ReadClock(procfs, known.pid);
  known.rests = known.judged_ns != 0 && cpu_ns && cpu_ns == known.cpu_ns;
  if (Stands(known, cpu_ns)) {
    if (known.denied) ++denied_;
    return;
  }
  due_.push_back(
      {.since_ns = known.judged_ns != 0 ? known.judged_ns : known.first_seen_ns,
       .pid = known.pid,
       .place = place,
       .cpu_ns = cpu_ns});
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
  std::sort(due_.begin(), due_.end(), [](const Due& a, const Due& b) {
    return std::tie(a.since_ns, a.pid) < std::tie(b.since_ns, b.pid);
  });
  size_t tried = 0;
  for (const Due& due : due_) {
    if (tried > 0 && deadline.HasPassed()) break;
    absl::Status status = Judge(procfs, due);
    if (status.ok()) {
      ++tried;
      continue;
    }
    ++waiting_;
    ++tried;
    obstacle_ = std::move(status);
    if (absl::IsResourceExhausted(obstacle_)) break;
  }
  waiting_ += due_.size() - tried;
}

// An error means that it could not be judged, and has to be later.
absl::Status Selection::Judge(const Procfs& procfs, const Due& due) {
  const absl::StatusOr<Verdict> verdict = matcher_.Judge(procfs, due.pid);
  Known& known = known_[due.place];
  known.denied = absl::IsPermissionDenied(verdict.status());
  if (!verdict.ok() && !known.denied && !absl::IsNotFound(verdict.status())) {
    return verdict.status();
  }
  known.first_judged_now = known.judged_ns == 0;
  known.verdict = verdict.value_or(Verdict());
  known.cpu_ns = due.cpu_ns;
  known.judged_ns = now_ns_;
  known.judged_now = true;
  if (known.denied) {
    ++denied_;
    denial_ = verdict.status();
  }
  return absl::OkStatus();
}

void Selection::UpdateDescents(const Procfs& procfs) {
  absl::erase_if(descents_, [&](const auto& entry) {
    return Find(entry.first) == nullptr;
  });
  for (const Known& known : known_) {
    if (known.judged_now || !descents_.contains(known.pid)) {
      ReadDescent(procfs, known.pid);
    }
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
  if (!stat.ok()) {
    descent.parent_inode = kUnread;
    return;
  }
  descent.parent = stat->parent;
  descent.parent_inode = LivingInode(stat->parent);
  descent.ended = HasEnded(*stat);
}

// Null where no such process is known.
const Selection::Known* Selection::Find(pid_t pid) const {
  const auto place = std::lower_bound(
      known_.begin(), known_.end(), pid,
      [](const Known& each, pid_t id) { return each.pid < id; });
  return place != known_.end() && place->pid == pid ? &*place : nullptr;
}

// 0 where no such process is known, or only what is left of one.
uint64_t Selection::LivingInode(pid_t pid) const {
  const Known* const known = Find(pid);
  if (known == nullptr) return 0;
  const auto descent = descents_.find(pid);
  const bool ended = descent != descents_.end() && descent->second.ended;
  return ended ? 0 : known->inode;
}

// Whether it is selected or has an ancestor that is. What is found out of one
// holds for all on the way up to it.
bool Selection::ComesFromSelected(pid_t pid) {
  way_.clear();
  bool result = false;
  while (true) {
    const Known* const known = Find(pid);
    const auto descent = descents_.find(pid);
    if (known == nullptr || descent == descents_.end()) break;
    if (descent->second.from_selected) {
      result = *descent->second.from_selected;
      break;
    }
    way_.push_back(&descent->second);
    // Until more is known: no way up can lead round in a circle.
    descent->second.from_selected = false;
    if (known->verdict.selected) {
      result = true;
      break;
    }
    pid = descent->second.parent;
  }
  for (Descent* const descent : way_) descent->from_selected = result;
  return result;
}

void Selection::Choose() {
  chosen_.clear();
  for (const Known& known : known_) {
    if (!known.verdict.kept) continue;
    if (!known.verdict.selected && !(matcher_.criteria().collect_children &&
                                     ComesFromSelected(known.pid))) {
      continue;
    }
    Chosen chosen{.pid = known.pid,
                  .may_have_changed = known.judged_now,
                  .inode = known.inode,
                  .at_rest_since_ns = std::nullopt,
                  .unseen_until_ns = std::nullopt};
    if (known.rests) chosen.at_rest_since_ns = known.judged_ns;
    if (known.first_judged_now) {
      chosen.unseen_until_ns = known.unseen_until_ns;
    }
    chosen_.push_back(chosen);
  }
}

}  // namespace pycheck

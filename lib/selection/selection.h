#ifndef PYCHECK_LIB_SELECTION_SELECTION_H_
#define PYCHECK_LIB_SELECTION_SELECTION_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/deadline.h"
#include "lib/config/criteria.h"
#include "lib/procfs/procfs.h"
#include "lib/selection/matcher.h"

namespace pycheck {

// A process that the criteria choose.
struct Chosen {
  pid_t pid;
  // Whether it may be otherwise than at the last run: another program, or what
  // it says of itself.
  bool may_have_changed;
  // As Procfs::ListProcesses gives it, of the process that was judged; 0 where
  // the pid was given and not looked for.
  uint64_t inode;
  // Since when it has not run, in nanoseconds since boot, where its clock says
  // that it has not: all that it does by itself is as it was then. (What it did
  // within the last tick of the kernel's, on its first time on a processor
  // since, is not seen yet.)
  std::optional<int64_t> at_rest_since_ns;
  // Of one that is chosen as soon as it is judged for the first time: when the
  // processes were listed before it was first seen, in nanoseconds since boot.
  // If it was born after that, nobody has missed any of its life.
  std::optional<int64_t> unseen_until_ns;
};

// The processes that an instance is about, kept up to date from run to run at a
// cost that is small where nothing happens.
//
// A process is judged when it is first seen, and again only when the verdict
// may have changed. Its inode tells a new process with an old pid. As for
// executing another program, taking another name, command line or user: for
// all of that a process has to run, so the verdict stands as long as the
// process's CPU clock does. (The kernel brings that up to date when a process
// goes to sleep, and at each tick while it runs.) Where that cannot be read
// (pids of another pid namespace) it stands for as long as the process was
// known before, and at most for kLongestStand, as does that a process may not
// be looked at. Its descent changes without its doing: its parent is asked for
// again when the one that was known has ended.
//
// Not thread-safe.
class Selection {
 public:
  static constexpr int64_t kLongestStand = 120'000'000'000;  // nanoseconds

  explicit Selection(Criteria criteria) : matcher_(std::move(criteria)) {}

  // Looks at the processes that there are now. When `deadline` has passed, what
  // is not yet judged waits for the next run; the longest waiting come first,
  // and one is judged in any case, so that none waits for ever. One that was
  // judged before is taken as it was then, and so are all when procfs cannot be
  // listed for want of descriptors. An error means that nothing is known: those
  // of Matcher::Prepare, and that procfs cannot be listed.
  absl::Status Update(const Procfs& procfs, const Deadline& deadline);

  // By their pids, ascending. They may have ended since.
  const std::vector<Chosen>& chosen() const { return chosen_; }

  // How many processes wait to be judged, as far as is known; why, where it is
  // not the deadline.
  size_t waiting() const { return waiting_; }
  const absl::Status& obstacle() const { return obstacle_; }

  // How many could not be judged for lack of rights, and what was said of one.
  int denied() const { return denied_; }
  const absl::Status& denial() const { return denial_; }

 private:
  struct Known {
    pid_t pid = 0;
    uint64_t inode = 0;  // 0: not looked for
    int64_t first_seen_ns = 0;
    std::optional<int64_t> unseen_until_ns;
    int64_t judged_ns = 0;          // 0: never
    std::optional<int64_t> cpu_ns;  // its CPU clock, before it was judged
    Verdict verdict;
    bool judged_now = false;        // in this run
    bool first_judged_now = false;  // the same, and never before
    bool rests = false;             // its clock stands since it was judged
    bool denied = false;
  };

  // Where a process comes from, where that matters.
  struct Descent {
    pid_t parent = 0;
    uint64_t parent_inode = 0;  // 0: it is not there
    bool ended = false;
    std::optional<bool> from_selected;  // found out anew in each run
  };

  // One that has to be judged, and its clock before that.
  struct Due {
    int64_t since_ns;
    pid_t pid;
    size_t place;  // in known_
    std::optional<int64_t> cpu_ns;
  };

  absl::Status ListProcesses(const Procfs& procfs);
  void Enlist(const Procfs& procfs);
  void TakeUp(const ListedProcess& process, const Known* before);
  void LookAt(const Procfs& procfs, size_t place);
  bool Stands(const Known& known, std::optional<int64_t> cpu_ns) const;
  void JudgeWaiting(const Procfs& procfs, const Deadline& deadline);
  absl::Status Judge(const Procfs& procfs, const Due& due);
  void UpdateDescents(const Procfs& procfs);
  void ReadDescent(const Procfs& procfs, pid_t pid);
  const Known* Find(pid_t pid) const;
  uint64_t LivingInode(pid_t pid) const;
  bool ComesFromSelected(pid_t pid);
  void Choose();

  Matcher matcher_;
  std::optional<pid_t> named_;  // what the verdicts are of
  std::vector<Known> known_;    // by their pids, as procfs lists them
  absl::flat_hash_map<pid_t, Descent> descents_;
  int64_t now_ns_ = 0;
  std::optional<int64_t> last_listed_ns_;
  std::vector<ListedProcess> listed_;
  std::vector<Due> due_;
  // Kept from run to run for their memory alone.
  std::vector<Known> before_;
  std::vector<Descent*> way_;
  std::vector<Chosen> chosen_;
  size_t waiting_ = 0;
  absl::Status obstacle_;
  int denied_ = 0;
  absl::Status denial_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_SELECTION_SELECTION_H_

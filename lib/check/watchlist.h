#ifndef PYCHECK_LIB_CHECK_WATCHLIST_H_
#define PYCHECK_LIB_CHECK_WATCHLIST_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "lib/base/deadline.h"
#include "lib/check/container_tags.h"
#include "lib/config/options.h"
#include "lib/process/process.h"
#include "lib/sample/gauges.h"
#include "lib/sample/series.h"
#include "lib/selection/selection.h"
#include "lib/sink/container_tagger.h"
#include "lib/sink/tag_set.h"

namespace pycheck {

// A process that was chosen, and what the last run made of it.
struct Watched {
  enum class State {
    kWaiting,   // it could not be looked at yet: the run's time was over
    kReported,  // it has gauges, or has had them
    kNoPython,
    kTraced,     // its tracer sends runtime metrics itself
    kOverLimit,  // there are as many others as there may be
    kUnseen,     // whether there is a Python in it may not be looked at
    kFailed,     // it could not be opened or read
    kEnded,
  };

  State state = State::kWaiting;
  bool is_fresh = false;     // it was read in the last run
  absl::Status problem;      // of kNoPython, kUnseen and kFailed
  bool has_changed = false;  // perhaps, since it was last looked at
  int64_t served_ns = 0;     // when it was last looked at, or first chosen
  std::optional<int64_t> unseen_until_ns;  // as in Chosen, until it is read
  std::optional<Process> process;
  std::optional<Reading> last;
  Gauges gauges;  // of the last reading
  Traits traits;
  int origin_version = 0;         // that the traits are of
  int64_t container_version = 0;  // the same, of ContainerTags
  TagSet tags;
};

// Follows the chosen processes from run to run. Not thread-safe.
class Watchlist {
 public:
  // Each gets `instance_tags`.
  Watchlist(const Options& options, std::vector<std::string> instance_tags);

  // Reads the processes. When `deadline` has passed, the rest waits for the
  // next run; the longest waiting come first, and one is read in any case, so
  // that none waits for ever. A process of whose life nobody has missed
  // anything is counted from its birth.
  void Update(const std::vector<Chosen>& chosen, const Sources& sources,
              const Deadline& deadline);

  const absl::btree_map<pid_t, Watched>& processes() const {
    return processes_;
  }

  // Gives the processes that were just read the tags that the Agent has for
  // their containers. Asks it once for each container, and again when its
  // answer has become old.
  void TagByContainer(ContainerTagger& tagger);

  // How many wait for the next Update.
  int carried() const { return carried_; }

 private:
  struct Turn {
    int64_t served_ns;
    const Chosen* chosen;
  };

  void Enlist(const std::vector<Chosen>& chosen, int64_t now_ns);
  void Queue(const std::vector<Chosen>& chosen);
  void Serve(const Sources& sources, const Chosen& chosen, int64_t now_ns);
  absl::Status Read(const Sources& sources, Watched& watched);
  bool IsAtRest(const Chosen& chosen, const Watched& watched) const;
  absl::Status ReadAtRest(const Sources& sources, Watched& watched);
  absl::Status Start(const Sources& sources, const Chosen& chosen,
                     Watched& watched, std::optional<uint64_t> known_start);
  void Settle(Watched& watched, absl::Status status) const;
  bool UpdateTraits(const Procfs& procfs, Watched& watched, bool renamed);
  bool IsLeftToTracer(const Watched& watched) const;
  std::vector<std::string> WithoutOwnService(
      std::vector<std::string> tags) const;
  std::string NameOfUser(uid_t user);

  std::vector<std::string> instance_tags_;
  TagBy tag_by_;
  bool has_service_;
  bool skip_traced_;
  int64_t limit_;
  bool only_python_;  // leave out what may not be looked into
  absl::btree_map<pid_t, Watched> processes_;
  int64_t placed_ = 0;       // of them, those that count for limit_
  std::vector<Turn> queue_;  // whom to look at, in this run
  int carried_ = 0;
  absl::flat_hash_map<uid_t, std::string> user_names_;
  std::optional<TagCardinality> tag_cardinality_;
  ContainerTags container_tags_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_CHECK_WATCHLIST_H_

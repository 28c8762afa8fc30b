#ifndef PYCHECK_LIB_CHECK_CHECK_H_
#define PYCHECK_LIB_CHECK_CHECK_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/config/options.h"
#include "lib/cpython/binary.h"
#include "lib/process/process.h"
#include "lib/procfs/procfs.h"
#include "lib/procfs/taskstats.h"
#include "lib/sample/gauges.h"
#include "lib/sink/metric_sink.h"
#include "lib/sink/tag_set.h"

namespace pycheck {

// One configured instance of the check: it follows the chosen processes from
// run to run. A run is Collect, which reads everything and talks to nobody, and
// then Report, which hands over what was read and reads nothing. Not
// thread-safe: one run at a time.
class Check {
 public:
  // Opens procfs at the configured path, or where there is none at
  // `default_procfs_path`.
  static absl::StatusOr<Check> Create(Options options,
                                      const std::string& default_procfs_path);

  // Reads all chosen processes. A process that ends meanwhile is left out. An
  // error means that they could not be chosen; there is nothing to report then.
  absl::Status Collect();

  // Reports what the last Collect read. A warning is said when its cause comes,
  // and not again until it has gone.
  void Report(MetricSink& sink);

 private:
  struct Watched {
    Process process;
    std::optional<std::string> version;  // of the interpreter, as in the tags
    TagSet tags;
    Reading last;
    Gauges gauges;  // of the last reading
  };

  Check(Options options, Procfs procfs);

  void UpdateTags(Watched& watched) const;
  TagSet ProcessTags(const Process& process) const;
  void Follow(pid_t pid);
  absl::StatusOr<Watched> StartWatching(pid_t pid,
                                        std::optional<uint64_t> known_start);
  bool BornSinceLastRun(const Process& process) const;
  void NoteFindings();
  ServiceStatus Readable() const;

  Options options_;
  Procfs procfs_;
  TagSet tags_;  // of what concerns the whole instance
  std::optional<Taskstats> taskstats_;
  Binaries binaries_;
  absl::btree_map<pid_t, Watched> watched_;
  std::optional<int64_t> last_run_boot_ns_;

  // What the last run found, one message for each kind; what of it is not yet
  // reported; and the kinds of the run before, which are not said again.
  absl::btree_map<absl::StatusCode, std::string> findings_;
  std::vector<std::string> warnings_;
  absl::btree_set<absl::StatusCode> warned_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_CHECK_CHECK_H_

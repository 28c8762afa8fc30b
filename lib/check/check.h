#ifndef PYCHECK_LIB_CHECK_CHECK_H_
#define PYCHECK_LIB_CHECK_CHECK_H_

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/check/findings.h"
#include "lib/check/watchlist.h"
#include "lib/config/options.h"
#include "lib/cpython/binary.h"
#include "lib/procfs/procfs.h"
#include "lib/procfs/taskstats.h"
#include "lib/selection/selection.h"
#include "lib/sink/container_tagger.h"
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
  // error means that they could not be chosen, or, where denied access is not
  // to be ignored, that some may not be looked at: kPermissionDenied.
  absl::Status Collect();

  // Reports what the last Collect read, be it that it failed. A warning is said
  // when its cause comes, and not again until it has gone. `tagger` is null
  // where there is none to ask for the tags of containers.
  void Report(MetricSink& sink, ContainerTagger* tagger);

 private:
  Check(Options options, Procfs procfs);

  void NoteFindings();
  void NoteWaiting();
  void NoteProcesses();
  void NoteCounts();
  std::string NothingMatches() const;

  void ReportSeries(MetricSink& sink) const;
  void ReportSums(MetricSink& sink) const;
  void ReportUp(MetricSink& sink) const;

  int64_t CountStates(std::initializer_list<Watched::State> states) const;
  int64_t Matching() const;
  bool IsEveryProcessKnown() const;
  bool IsEveryProcessRead() const;
  ServiceStatus StatusOf(int64_t count) const;
  ServiceStatus Up() const;
  ServiceStatus Readable() const;

  Options options_;
  Procfs procfs_;
  TagSet tags_;  // of what concerns the whole instance
  std::optional<Taskstats> taskstats_;
  Binaries binaries_;
  Selection selection_;
  Watchlist watchlist_;
  absl::Status failure_;  // to choose, in the last run
  Findings findings_;
  std::vector<std::string> warnings_;  // not yet reported
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_CHECK_CHECK_H_

#ifndef PYCHECK_LIB_CONFIG_OPTIONS_H_
#define PYCHECK_LIB_CONFIG_OPTIONS_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/config/criteria.h"
#include "lib/config/document.h"

namespace pycheck {

// How many processes there should be. The defaults of each range hold when the
// other one is given.
struct Range {
  double least = 1;
  double most = std::numeric_limits<double>::infinity();
};
struct Thresholds {
  Range warning;
  Range critical;
};

enum class Aggregation {
  kPerProcess,  // a series for each process
  kSum,         // one for all processes with the same tags
};

// What of a process becomes a tag.
struct TagBy {
  bool pid = true;
  bool parent = false;
  bool user = false;
  bool command = false;
  bool container = false;
  bool tracer = false;
};

// Which of the Agent's tags of a container a series gets.
enum class TagCardinality {
  kLow,           // what many containers share, such as their image
  kOrchestrator,  // and the pod or task that it is in
  kHigh,          // and the container itself
};

// What is done about a process whose tracer sends runtime metrics itself.
enum class TracerRuntimeMetrics {
  kSkip,     // it is left to its tracer
  kCollect,  // it is reported like any other
};

// One instance of conf.yaml together with its init_config.
struct Options {
  std::string name;
  Criteria criteria;
  std::optional<Thresholds> thresholds;
  bool ignore_denied_access = true;
  int64_t limit = 5000;  // how many processes are watched
  Aggregation aggregation = Aggregation::kPerProcess;
  TagBy tag_by;
  TracerRuntimeMetrics tracer_runtime_metrics = TracerRuntimeMetrics::kSkip;
  std::optional<TagCardinality> tag_cardinality;  // nothing: the Agent's own
  std::vector<std::string> tags;
  bool has_service = false;  // the Agent itself adds the tag `service`
  absl::Duration min_collection_interval = absl::Seconds(15);
  absl::Duration time_budget;  // of one run
  std::string procfs_path;     // empty: not configured

  // What the person who wrote the file should know though it is no mistake.
  std::vector<std::string> notes;
};

// Reads and checks both. An error is kInvalidArgument, and its message, for the
// person who wrote the file, names the option, the value and the remedy.
absl::StatusOr<Options> ParseOptions(const Document& init_config,
                                     const Document& instance);

}  // namespace pycheck

#endif  // PYCHECK_LIB_CONFIG_OPTIONS_H_

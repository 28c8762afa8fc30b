#ifndef PYCHECK_LIB_SAMPLE_SERIES_H_
#define PYCHECK_LIB_SAMPLE_SERIES_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "lib/config/options.h"
#include "lib/sample/gauges.h"
#include "lib/sink/tag_set.h"

namespace pycheck {

// What tells the series of one process from those of others.
struct Traits {
  pid_t pid = 0;
  pid_t parent = 0;
  std::string user;
  std::string command;               // the process's name
  std::string_view implementation;   // of the interpreter; empty while unknown
  std::string version;               // of the interpreter; empty while unknown
  std::string tracer_version;        // empty while unknown
  std::vector<std::string> tracer;   // TracerTags; none while unknown
  std::string container_id;          // empty outside of a container
  std::vector<std::string> service;  // ServiceTags
  std::vector<std::string> container;  // what the Agent has for its container
};

// The tags of a process: those of the instance, those of its traits that
// `tag_by` asks for and that are known; then those of its interpreter and
// tracer, those of its service, and those of its container: of each, only the
// keys that are not there yet.
TagSet SeriesTags(const std::vector<std::string>& instance_tags, TagBy tag_by,
                  const Traits& traits);

// Adds processes' gauges up, one sum for all processes with the same tags. The
// tags must outlive it.
class Sums {
 public:
  struct Sum {
    int64_t processes = 0;
    // What one of the processes does not have, the sum does not have either.
    Gauges gauges;
  };
  struct InOrder {
    bool operator()(const TagSet* a, const TagSet* b) const { return *a < *b; }
  };

  void Add(const TagSet& tags, const Gauges& gauges);

  // In the order of the tags.
  const absl::btree_map<const TagSet*, Sum, InOrder>& sums() const {
    return sums_;
  }

 private:
  absl::btree_map<const TagSet*, Sum, InOrder> sums_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_SAMPLE_SERIES_H_

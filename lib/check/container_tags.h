#ifndef PYCHECK_LIB_CHECK_CONTAINER_TAGS_H_
#define PYCHECK_LIB_CHECK_CONTAINER_TAGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lib/config/options.h"
#include "lib/sink/container_tagger.h"

namespace pycheck {

// The tags of containers, from run to run. Not thread-safe.
class ContainerTags {
 public:
  // How long an answer of the Agent holds; one without tags shorter, as the
  // Agent may hear of a container later than its processes are seen.
  static constexpr int64_t kRefreshNs = 60'000'000'000;
  static constexpr int64_t kRefreshEmptyNs = 10'000'000'000;

  struct Entry {
    std::vector<std::string> tags;
    int64_t version = 0;  // another whenever they change; never used again
    int64_t due_ns = 0;
    int64_t used_ns = 0;
  };

  // What is known of a container at the time `now_ns` of a clock that does not
  // go back; asks the tagger where it is due. Holds until the next call.
  const Entry& Of(const std::string& container_id, int64_t now_ns,
                  std::optional<TagCardinality> cardinality,
                  ContainerTagger& tagger);

  // Forgets the containers that were not asked for in a refresh period.
  void Prune(int64_t now_ns);

 private:
  absl::flat_hash_map<std::string, Entry> entries_;
  int64_t last_version_ = 0;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_CHECK_CONTAINER_TAGS_H_

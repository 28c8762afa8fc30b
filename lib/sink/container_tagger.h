#ifndef PYCHECK_LIB_SINK_CONTAINER_TAGGER_H_
#define PYCHECK_LIB_SINK_CONTAINER_TAGGER_H_

#include <optional>
#include <string>
#include <vector>

#include "lib/config/options.h"

namespace pycheck {

// What the Agent knows of containers. It is called by the thread that reports,
// and by no other at the same time.
class ContainerTagger {
 public:
  virtual ~ContainerTagger() = default;

  // The tags that the Agent has now for a container, none for one that it does
  // not know. Without `cardinality` that of the Agent's own configuration
  // (checks_tag_cardinality) counts.
  virtual std::vector<std::string> Tags(
      const std::string& container_id,
      std::optional<TagCardinality> cardinality) = 0;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_SINK_CONTAINER_TAGGER_H_

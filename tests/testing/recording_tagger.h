#ifndef PYCHECK_TESTS_TESTING_RECORDING_TAGGER_H_
#define PYCHECK_TESTS_TESTING_RECORDING_TAGGER_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/sink/container_tagger.h"

namespace pycheck {

// Knows what it is told, and keeps what it is asked.
class RecordingTagger : public ContainerTagger {
 public:
  std::vector<std::string> Tags(
      const std::string& container_id,
      std::optional<TagCardinality> with_cardinality) override {
    asked.push_back(container_id);
    cardinality = with_cardinality;
    return tags[container_id];
  }

  std::map<std::string, std::vector<std::string>> tags;
  std::vector<std::string> asked;
  std::optional<TagCardinality> cardinality;  // of the last question
};

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_RECORDING_TAGGER_H_

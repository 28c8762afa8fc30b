#include "lib/check/container_tags.h"

#include <utility>

namespace pycheck {

const ContainerTags::Entry& ContainerTags::Of(
    const std::string& container_id, int64_t now_ns,
    std::optional<TagCardinality> cardinality, ContainerTagger& tagger) {
  Entry& entry = entries_[container_id];
  entry.used_ns = now_ns;
  if (entry.version > 0 && now_ns < entry.due_ns) return entry;
  std::vector<std::string> tags = tagger.Tags(container_id, cardinality);
  entry.due_ns = now_ns + (tags.empty() ? kRefreshEmptyNs : kRefreshNs);
  if (entry.version > 0 && entry.tags == tags) return entry;
  entry.tags = std::move(tags);
  entry.version = ++last_version_;
  return entry;
}

void ContainerTags::Prune(int64_t now_ns) {
  absl::erase_if(entries_, [&](const auto& entry) {
    return now_ns - entry.second.used_ns > kRefreshNs;
  });
}

}  // namespace pycheck

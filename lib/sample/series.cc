#include "lib/sample/series.h"

#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace pycheck {
namespace {

// Adds those tags whose keys are not there yet. (A container may have several
// values of one key.)
void AddMissing(const std::vector<std::string>& found,
                std::vector<std::string>& tags) {
  absl::flat_hash_set<std::string> keys;
  for (const std::string& tag : tags) {
    keys.emplace(TagKey(NormalizeTag(tag)));
  }
  for (const std::string& tag : found) {
    if (!keys.contains(TagKey(NormalizeTag(tag)))) tags.push_back(tag);
  }
}

// Those of the interpreter and the tracer.
std::vector<std::string> FoundTags(const Traits& traits) {
  std::vector<std::string> tags;
  const auto add = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) tags.push_back(absl::StrCat(key, ":", value));
  };
  if (!traits.implementation.empty()) add("lang", "python");
  add("lang_interpreter", traits.implementation);
  add("lang_version", traits.version);
  add("tracer_version", traits.tracer_version);
  return tags;
}

}  // namespace

TagSet SeriesTags(const std::vector<std::string>& instance_tags, TagBy tag_by,
                  const Traits& traits) {
  std::vector<std::string> tags = instance_tags;
  const auto add = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) tags.push_back(absl::StrCat(key, ":", value));
  };
  if (tag_by.pid) add("pid", absl::StrCat(traits.pid));
  if (tag_by.parent) add("ppid", absl::StrCat(traits.parent));
  if (tag_by.user) add("user", traits.user);
  if (tag_by.command) add("command", traits.command);
  if (tag_by.container) add("container_id", traits.container_id);
  if (tag_by.tracer) {
    tags.insert(tags.end(), traits.tracer.begin(), traits.tracer.end());
  }
  AddMissing(FoundTags(traits), tags);
  AddMissing(traits.service, tags);
  AddMissing(traits.container, tags);
  return TagSet(tags);
}

void Sums::Add(const TagSet& tags, const Gauges& gauges) {
  const auto [entry, is_new] = sums_.try_emplace(&tags);
  Sum& sum = entry->second;
  ++sum.processes;
  if (is_new) {
    sum.gauges = gauges;
    return;
  }
  for (size_t i = 0; i < gauges.size(); ++i) {
    std::optional<double>& total = sum.gauges[i];
    total =
        total && gauges[i] ? std::optional(*total + *gauges[i]) : std::nullopt;
  }
}

}  // namespace pycheck

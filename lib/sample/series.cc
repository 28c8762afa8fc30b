#include "lib/sample/series.h"

#include <string_view>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"

namespace pycheck {
namespace {

std::string_view KeyOf(std::string_view tag) {
  return tag.substr(0, tag.find(':'));
}

bool HasKey(const std::vector<std::string>& tags, std::string_view key) {
  return absl::c_any_of(
      tags, [&](const std::string& tag) { return KeyOf(tag) == key; });
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
  add("lang_interpreter", traits.implementation);
  add("lang_version", traits.version);
  for (const std::string& tag : traits.service) {
    if (!HasKey(tags, KeyOf(tag))) tags.push_back(tag);
  }
  return TagSet(std::move(tags));
}

void Sums::Add(const TagSet& tags, const Gauges& gauges) {
  const auto [entry, is_new] = sums_.try_emplace(tags.tags());
  Sum& sum = entry->second;
  ++sum.processes;
  if (is_new) {
    sum.tags = TagSet(tags.tags());
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

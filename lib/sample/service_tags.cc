#include "lib/sample/service_tags.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace pycheck {
namespace {

// A process could say more than the Agent should have to carry.
constexpr size_t kMostTags = 100;

// In the order in which the keys came; a key that comes again has the last
// value.
class Tags {
 public:
  void Set(std::string_view key, std::string_view value) {
    const auto [place, is_new] = places_.try_emplace(key, tags_.size());
    if (is_new) {
      tags_.emplace_back(key, value);
    } else {
      tags_[place->second].second = value;
    }
  }

  // Empty where there is none.
  std::string_view Find(std::string_view key) const {
    const auto place = places_.find(key);
    return place == places_.end() ? std::string_view()
                                  : tags_[place->second].second;
  }

  const std::vector<std::pair<std::string, std::string>>& tags() const {
    return tags_;
  }

 private:
  std::vector<std::pair<std::string, std::string>> tags_;
  absl::flat_hash_map<std::string, size_t> places_;
};

std::optional<std::string> Find(const Variables& variables,
                                std::string_view name) {
  const auto found = variables.find(name);
  if (found == variables.end()) return std::nullopt;
  return found->second;
}

// DD_TAGS: "key:value" with commas between, or if there is none, with spaces.
Tags ParseTags(std::string_view text) {
  Tags tags;
  const char separator = absl::StrContains(text, ',') ? ',' : ' ';
  for (const std::string_view part : absl::StrSplit(text, separator)) {
    const std::pair<std::string_view, std::string_view> tag =
        absl::StrSplit(part, absl::MaxSplits(':', 1));
    const std::string_view key = absl::StripAsciiWhitespace(tag.first);
    if (!key.empty()) tags.Set(key, absl::StripAsciiWhitespace(tag.second));
  }
  return tags;
}

// What an attribute of OpenTelemetry's is called by Datadog; empty where it has
// no other name.
std::string_view UnifiedKey(std::string_view attribute) {
  const std::string key = absl::AsciiStrToLower(attribute);
  if (key == "service.name") return "service";
  if (key == "service.version") return "version";
  if (key == "deployment.environment") return "env";
  if (key == "deployment.environment.name") return "env";
  return "";
}

// OTEL_RESOURCE_ATTRIBUTES, "key=value" with commas between, as the tracer
// turns it into DD_TAGS: nothing of a text that is not of that form, the
// unified tags first, and no more than ten.
std::string ToTags(std::string_view text) {
  constexpr size_t kMostAttributes = 10;
  Tags attributes;
  for (const std::string_view part : absl::StrSplit(text, ',')) {
    const std::vector<std::string_view> pair = absl::StrSplit(part, '=');
    if (pair.size() != 2) return "";
    attributes.Set(pair[0], pair[1]);
  }
  const bool has_new_name =
      absl::c_any_of(attributes.tags(), [](const auto& each) {
        return absl::EqualsIgnoreCase(each.first,
                                      "deployment.environment.name");
      });
  std::vector<std::string> unified;
  std::vector<std::string> others;
  for (const auto& [key, value] : attributes.tags()) {
    if (has_new_name && absl::EqualsIgnoreCase(key, "deployment.environment")) {
      continue;
    }
    const std::string_view name = UnifiedKey(key);
    auto& tags = name.empty() ? others : unified;
    tags.push_back(absl::StrCat(name.empty() ? key : name, ":", value));
  }
  // The tracer puts each in front of the one before.
  std::reverse(unified.begin(), unified.end());
  unified.insert(unified.end(), others.begin(), others.end());
  if (unified.size() > kMostAttributes) unified.resize(kMostAttributes);
  return absl::StrJoin(unified, ",");
}

// What the tracer takes out of the tags, as it has it elsewhere.
bool IsGitMetadata(std::string_view key) {
  return key == "git.commit.sha" || key == "git.repository_url" ||
         key == "python_main_package";
}

}  // namespace

std::vector<std::string> ServiceTags(const Variables& variables,
                                     const std::optional<Tracer>& tracer) {
  const std::optional<std::string> dd_tags = Find(variables, "DD_TAGS");
  const std::optional<std::string> attributes =
      Find(variables, "OTEL_RESOURCE_ATTRIBUTES");
  const Tags others = ParseTags(dd_tags      ? *dd_tags
                                : attributes ? ToTags(*attributes)
                                             : "");

  std::optional<std::string> service = Find(variables, "DD_SERVICE");
  if (!service) service = Find(variables, "OTEL_SERVICE_NAME");
  Tags tags;
  const Tracer said = tracer.value_or(Tracer());
  const auto add = [&](std::string_view key, const std::string& by_tracer,
                       const std::optional<std::string>& value) {
    std::string known = by_tracer;
    if (known.empty()) known = value ? *value : others.Find(key);
    if (!known.empty()) tags.Set(key, known);
  };
  add("service", said.service, service);
  add("env", said.env, Find(variables, "DD_ENV"));
  add("version", said.service_version, Find(variables, "DD_VERSION"));
  for (const auto& [key, value] : others.tags()) {
    if (tags.tags().size() == kMostTags) break;
    if (tags.Find(key).empty() && !IsGitMetadata(key)) tags.Set(key, value);
  }
  std::vector<std::string> result;
  result.reserve(tags.tags().size());
  for (const auto& [key, value] : tags.tags()) {
    result.push_back(absl::StrCat(key, ":", value));
  }
  return result;
}

}  // namespace pycheck

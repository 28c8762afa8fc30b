#include "lib/sample/service_tags.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace pycheck {
namespace {

// In the order in which the keys came; a key that comes again has the last
// value.
using Tags = std::vector<std::pair<std::string, std::string>>;

void Set(Tags& tags, std::string_view key, std::string_view value) {
  for (auto& [known, old] : tags) {
    if (known == key) {
      old = value;
      return;
    }
  }
  tags.emplace_back(key, value);
}

std::optional<std::string> Find(const Variables& variables,
                                std::string_view name) {
  const auto found = variables.find(name);
  if (found == variables.end()) return std::nullopt;
  return found->second;
}

std::string ValueOf(const Tags& tags, std::string_view key) {
  for (const auto& [known, value] : tags) {
    if (known == key) return value;
  }
  return "";
}

// DD_TAGS: "key:value" with commas between, or if there is none, with spaces.
Tags ParseTags(std::string_view text) {
  Tags tags;
  const char separator = absl::StrContains(text, ',') ? ',' : ' ';
  for (const std::string_view part : absl::StrSplit(text, separator)) {
    const std::pair<std::string_view, std::string_view> tag =
        absl::StrSplit(part, absl::MaxSplits(':', 1));
    const std::string_view key = absl::StripAsciiWhitespace(tag.first);
    if (!key.empty()) Set(tags, key, absl::StripAsciiWhitespace(tag.second));
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
  constexpr size_t kMostTags = 10;
  Tags attributes;
  for (const std::string_view part : absl::StrSplit(text, ',')) {
    const std::vector<std::string_view> pair = absl::StrSplit(part, '=');
    if (pair.size() != 2) return "";
    Set(attributes, pair[0], pair[1]);
  }
  const bool has_new_name =
      std::any_of(attributes.begin(), attributes.end(), [](const auto& each) {
        return absl::EqualsIgnoreCase(each.first,
                                      "deployment.environment.name");
      });
  std::vector<std::string> tags;
  for (const auto& [key, value] : attributes) {
    if (has_new_name && absl::EqualsIgnoreCase(key, "deployment.environment")) {
      continue;
    }
    const std::string_view unified = UnifiedKey(key);
    if (unified.empty()) {
      tags.push_back(absl::StrCat(key, ":", value));
    } else {
      tags.insert(tags.begin(), absl::StrCat(unified, ":", value));
    }
  }
  if (tags.size() > kMostTags) tags.resize(kMostTags);
  return absl::StrJoin(tags, ",");
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
    if (known.empty()) known = value ? *value : ValueOf(others, key);
    if (!known.empty()) Set(tags, key, known);
  };
  add("service", said.service, service);
  add("env", said.env, Find(variables, "DD_ENV"));
  add("version", said.service_version, Find(variables, "DD_VERSION"));
  for (const auto& [key, value] : others) {
    if (ValueOf(tags, key).empty() && !IsGitMetadata(key)) {
      Set(tags, key, value);
    }
  }
  std::vector<std::string> result;
  result.reserve(tags.size());
  for (const auto& [key, value] : tags) {
    result.push_back(absl::StrCat(key, ":", value));
  }
  return result;
}

}  // namespace pycheck

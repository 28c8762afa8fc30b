#include "lib/sample/tracer_tags.h"

#include <initializer_list>
#include <optional>
#include <string_view>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace pycheck {
namespace {

std::optional<std::string_view> Find(const Variables& variables,
                                     std::string_view name) {
  const auto found = variables.find(name);
  if (found == variables.end()) return std::nullopt;
  return found->second;
}

bool IsOneOf(std::string_view value,
             std::initializer_list<std::string_view> texts) {
  return absl::c_any_of(texts, [&](std::string_view text) {
    return absl::EqualsIgnoreCase(value, text);
  });
}

// On, unless it is turned off. OpenTelemetry's variable counts where Datadog's
// is not set.
bool EnablesTraces(const Variables& variables) {
  if (const auto value = Find(variables, "DD_TRACE_ENABLED")) {
    return IsOneOf(*value, {"true", "1"});
  }
  const auto exporter = Find(variables, "OTEL_TRACES_EXPORTER");
  return !exporter || !absl::EqualsIgnoreCase(*exporter, "none");
}

// Off, unless it is turned on, or the tracer was injected with its profiler.
bool EnablesProfiles(const Variables& variables) {
  if (const auto injected = Find(variables, "DD_INJECTION_ENABLED")) {
    for (const std::string_view part : absl::StrSplit(*injected, ',')) {
      if (IsOneOf(absl::StripAsciiWhitespace(part), {"profiler"})) return true;
    }
  }
  const auto value = Find(variables, "DD_PROFILING_ENABLED");
  return value && IsOneOf(*value, {"1", "true", "yes", "on", "auto"});
}

std::string Tag(std::string_view key, bool value) {
  return absl::StrCat(key, ":", value ? "true" : "false");
}

}  // namespace

std::vector<std::string> TracerTags(const Variables& variables,
                                    const std::optional<Tracer>& tracer) {
  const bool loaded = tracer.has_value();
  return {Tag("tracer_loaded", loaded),
          Tag("tracing_enabled", loaded && EnablesTraces(variables)),
          Tag("profiling_enabled", loaded && EnablesProfiles(variables))};
}

}  // namespace pycheck

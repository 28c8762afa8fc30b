#include "lib/config/options.h"

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lib/config/section.h"

namespace pycheck {
namespace {

// Beside those of ParseCriteria.
constexpr std::string_view kInstanceOptions[] = {
    "name",
    "thresholds",
    "ignore_denied_access",
    "limit",
    "aggregation",
    "tag_by",
    "tag_cardinality",
    "tracer_runtime_metrics",
    "tags",
    "min_collection_interval",
    "time_budget",
    // The Agent itself takes these from any instance.
    "loader",
    "service",
    "empty_default_hostname",
    "namespace",
    "no_index",
};
constexpr std::string_view kInitConfigOptions[] = {"procfs_path", "service",
                                                   "loader"};

// Options of the process check that there is nothing to do for. A configuration
// that was written for that check is taken with them.
constexpr std::string_view kUselessInstanceOptions[] = {"try_sudo",
                                                        "use_oneshot"};
constexpr std::string_view kUselessInitConfigOptions[] = {
    "pid_cache_duration",
    "access_denied_cache_duration",
    "shared_process_list_cache_duration",
    "reset_cache_on_process_changes",
};

constexpr int64_t kMostProcesses = int64_t{1} << 22;

// A run may take this part of the interval.
constexpr int kBudgetsPerInterval = 5;

constexpr std::string_view kThresholdsRemedy =
    "is not a set of ranges; write thresholds: {warning: [1, 8], critical: "
    "[1, 16]}, the least and the greatest number of processes";

absl::StatusOr<Range> ParseRange(const Section& instance,
                                 const Document& thresholds,
                                 std::string_view name) {
  const auto found = thresholds.find(name);
  if (found == thresholds.end() || found->is_null()) return Range();
  const auto is_number = [&](size_t i) {
    return (*found)[i].is_number() && (*found)[i].get<double>() >= 0;
  };
  if (!found->is_array() || found->size() != 2 || !is_number(0) ||
      !is_number(1) || (*found)[0].get<double>() > (*found)[1].get<double>()) {
    return instance.Error(
        "thresholds",
        absl::StrCat("has a range \"", name,
                     "\" that is not two numbers, the first at most as great "
                     "as the second; write ",
                     name, ": [1, 8]"));
  }
  return Range{.least = (*found)[0].get<double>(),
               .most = (*found)[1].get<double>()};
}

absl::StatusOr<std::optional<Thresholds>> ParseThresholds(
    const Section& instance) {
  const Document* value = instance.Find("thresholds");
  if (value == nullptr || value->empty()) return std::nullopt;
  if (!value->is_object()) {
    return instance.Error("thresholds", kThresholdsRemedy);
  }
  for (const auto& [key, range] : value->items()) {
    if (key != "warning" && key != "critical") {
      return instance.Error("thresholds", kThresholdsRemedy);
    }
  }
  const absl::StatusOr<Range> warning = ParseRange(instance, *value, "warning");
  if (!warning.ok()) return warning.status();
  const absl::StatusOr<Range> critical =
      ParseRange(instance, *value, "critical");
  if (!critical.ok()) return critical.status();
  return Thresholds{.warning = *warning, .critical = *critical};
}

absl::StatusOr<Aggregation> ParseAggregation(const Section& instance) {
  const Document* value = instance.Find("aggregation");
  if (value == nullptr || *value == "per_process") {
    return Aggregation::kPerProcess;
  }
  if (*value == "sum") return Aggregation::kSum;
  return instance.Error("aggregation",
                        "is not known; it is per_process or sum");
}

// With a series for each process its pid is a tag whatever is asked for; in a
// sum it would be one of as many series as there are processes.
absl::StatusOr<TagBy> ParseTagBy(const Section& instance,
                                 Aggregation aggregation) {
  const absl::StatusOr<std::vector<std::string>> names = instance.Strings(
      "tag_by",
      "is not a list of pid, ppid, user, command, container_id and tracer; "
      "write tag_by: [user]");
  if (!names.ok()) return names.status();
  TagBy tag_by;
  tag_by.pid = aggregation == Aggregation::kPerProcess;
  for (const std::string& name : *names) {
    if (name == "pid" && !tag_by.pid) {
      return instance.Error("tag_by",
                            "cannot have pid together with aggregation: sum, "
                            "where it would leave nothing to sum up; remove "
                            "one of them");
    }
    if (name == "ppid") {
      tag_by.parent = true;
    } else if (name == "user") {
      tag_by.user = true;
    } else if (name == "command") {
      tag_by.command = true;
    } else if (name == "container_id") {
      tag_by.container = true;
    } else if (name == "tracer") {
      tag_by.tracer = true;
    } else if (name != "pid") {
      return instance.Error(
          "tag_by", absl::StrCat("has \"", name,
                                 "\", which is not known; there are pid, ppid, "
                                 "user, command, container_id and tracer"));
    }
  }
  return tag_by;
}

absl::StatusOr<std::optional<TagCardinality>> ParseTagCardinality(
    const Section& instance) {
  constexpr std::string_view kOption = "tag_cardinality";
  const Document* value = instance.Find(kOption);
  if (value == nullptr) return std::nullopt;
  if (*value == "low") return TagCardinality::kLow;
  if (*value == "orchestrator") return TagCardinality::kOrchestrator;
  if (*value == "high") return TagCardinality::kHigh;
  return instance.Error(kOption,
                        "is not known; it is low, orchestrator or high");
}

absl::StatusOr<TracerRuntimeMetrics> ParseTracerRuntimeMetrics(
    const Section& instance) {
  constexpr std::string_view kOption = "tracer_runtime_metrics";
  const Document* value = instance.Find(kOption);
  if (value == nullptr || *value == "skip") return TracerRuntimeMetrics::kSkip;
  if (*value == "collect") return TracerRuntimeMetrics::kCollect;
  return instance.Error(
      kOption,
      "is not known; write skip, to leave a process to its tracer if that "
      "sends runtime metrics itself, or collect, to report it all the same");
}

// What is useless says so, and does no harm.
void NoteUselessOptions(const Section& section, std::string_view name,
                        absl::Span<const std::string_view> useless,
                        std::vector<std::string>& notes) {
  for (const std::string_view option : useless) {
    if (section.Find(option) == nullptr) continue;
    notes.push_back(absl::StrCat(name, " option \"", option,
                                 "\" belongs to the process check and has no "
                                 "effect here; remove it"));
  }
}

absl::Status CheckKeys(const Section& init_config, const Section& instance,
                       std::vector<std::string>& notes) {
  absl::Status status =
      init_config.CheckKeys(kInitConfigOptions, kUselessInitConfigOptions);
  if (!status.ok()) return status;
  std::vector<std::string_view> known(std::begin(kInstanceOptions),
                                      std::end(kInstanceOptions));
  known.insert(known.begin() + 1, CriteriaOptions().begin(),
               CriteriaOptions().end());
  status = instance.CheckKeys(known, kUselessInstanceOptions);
  if (!status.ok()) return status;
  NoteUselessOptions(init_config, "init_config", kUselessInitConfigOptions,
                     notes);
  NoteUselessOptions(instance, "instance", kUselessInstanceOptions, notes);
  return absl::OkStatus();
}

// What says how the processes that were chosen are reported.
absl::Status ParseReporting(const Section& instance, Options& options) {
  const absl::StatusOr<std::optional<Thresholds>> thresholds =
      ParseThresholds(instance);
  if (!thresholds.ok()) return thresholds.status();
  options.thresholds = *thresholds;

  const absl::StatusOr<bool> ignore =
      instance.Flag("ignore_denied_access", options.ignore_denied_access);
  if (!ignore.ok()) return ignore.status();
  options.ignore_denied_access = *ignore;

  const absl::StatusOr<Aggregation> aggregation = ParseAggregation(instance);
  if (!aggregation.ok()) return aggregation.status();
  options.aggregation = *aggregation;

  const absl::StatusOr<TagBy> tag_by =
      ParseTagBy(instance, options.aggregation);
  if (!tag_by.ok()) return tag_by.status();
  options.tag_by = *tag_by;

  const absl::StatusOr<std::optional<TagCardinality>> cardinality =
      ParseTagCardinality(instance);
  if (!cardinality.ok()) return cardinality.status();
  options.tag_cardinality = *cardinality;

  const absl::StatusOr<TracerRuntimeMetrics> traced =
      ParseTracerRuntimeMetrics(instance);
  if (!traced.ok()) return traced.status();
  options.tracer_runtime_metrics = *traced;

  absl::StatusOr<std::vector<std::string>> tags = instance.Strings(
      "tags", R"(is not a list of tags; write tags: ["env:prod", "team:web"])");
  if (!tags.ok()) return tags.status();
  options.tags = *std::move(tags);
  return absl::OkStatus();
}

// What a run may cost.
absl::Status ParseLimits(const Section& instance, Options& options) {
  const absl::StatusOr<int64_t> limit = instance.Number(
      "limit", options.limit, kMostProcesses,
      "is not a number of processes above zero; write limit: 5000");
  if (!limit.ok()) return limit.status();
  options.limit = *limit;

  const absl::StatusOr<absl::Duration> interval = instance.Seconds(
      "min_collection_interval", options.min_collection_interval);
  if (!interval.ok()) return interval.status();
  options.min_collection_interval = *interval;

  const absl::StatusOr<absl::Duration> budget =
      instance.Seconds("time_budget", *interval / kBudgetsPerInterval);
  if (!budget.ok()) return budget.status();
  options.time_budget = *budget;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Options> ParseOptions(const Document& init_config_document,
                                     const Document& instance_document) {
  const Document nothing = Document::object();
  const Section init_config("init_config", init_config_document.is_null()
                                               ? nothing
                                               : init_config_document);
  const Section instance(
      "instance", instance_document.is_null() ? nothing : instance_document);
  Options options;
  absl::Status status = CheckKeys(init_config, instance, options.notes);
  if (!status.ok()) return status;

  absl::StatusOr<std::string> name = instance.String(
      "name",
      "is not a name; write name: my-app (with quotes around a number)");
  if (!name.ok()) return name.status();
  if (name->empty()) {
    return absl::InvalidArgumentError(
        "instance option \"name\" is required: every gauge carries it as "
        "process_name; write name: my-app");
  }
  options.name = *std::move(name);

  absl::StatusOr<Criteria> criteria = ParseCriteria(instance);
  if (!criteria.ok()) return criteria.status();
  options.criteria = *std::move(criteria);

  options.has_service = instance.Find("service") != nullptr ||
                        init_config.Find("service") != nullptr;
  status = ParseReporting(instance, options);
  if (!status.ok()) return status;
  status = ParseLimits(instance, options);
  if (!status.ok()) return status;

  absl::StatusOr<std::string> procfs_path = init_config.String(
      "procfs_path", "is not a path; write procfs_path: /host/proc");
  if (!procfs_path.ok()) return procfs_path.status();
  options.procfs_path = *std::move(procfs_path);
  return options;
}

}  // namespace pycheck

#include "lib/config/options.h"

#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/config/nearest.h"

namespace pycheck {
namespace {

constexpr std::string_view kInstanceOptions[] = {
    "name",
    "search_string",
    "exact_match",
    "pid",
    "pid_file",
    "tags",
    "min_collection_interval",
    // The Agent itself takes these from any instance.
    "loader",
    "service",
    "empty_default_hostname",
    "namespace",
    "no_index",
};
constexpr std::string_view kInitConfigOptions[] = {"procfs_path", "service",
                                                   "loader"};
constexpr std::string_view kSelectors[] = {"search_string", "pid", "pid_file"};

// A compiled expression takes at most this much memory.
constexpr int64_t kMaxPatternBytes = int64_t{1} << 20;

// At most `limit` bytes of a UTF-8 text, cut between two characters.
std::string Shortened(std::string text, size_t limit) {
  if (text.size() <= limit) return text;
  constexpr unsigned char kContinuationMask = 0xc0;
  constexpr unsigned char kContinuation = 0x80;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) &
                       kContinuationMask) == kContinuation) {
    --limit;
  }
  return absl::StrCat(text.substr(0, limit), "...");
}

constexpr size_t kShownBytes = 77;

// A value as an error shows it: short, whatever it is.
std::string Shown(const Document& value) {
  return Shortened(
      value.dump(-1, ' ', false, Document::error_handler_t::replace),
      kShownBytes);
}

// One section of the configuration, with the name that errors give it.
class Section {
 public:
  Section(std::string_view name, const Document& document)
      : name_(name), document_(document) {}

  absl::Status Error(std::string_view option, std::string_view remedy) const {
    return absl::InvalidArgumentError(absl::StrCat(
        name_, " option \"", option,
        "\": ", Shown(document_.at(std::string(option))), " ", remedy));
  }

  // The option's value; null where it is not given or given as nothing.
  const Document* Find(std::string_view option) const {
    const auto found = document_.find(option);
    return found == document_.end() || found->is_null() ? nullptr : &*found;
  }

  absl::Status CheckKeys(absl::Span<const std::string_view> known) const {
    if (!document_.is_object()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name_, ": ", Shown(document_),
                       " is not a set of options; write \"option: value\" "
                       "lines"));
    }
    for (const auto& [key, value] : document_.items()) {
      if (absl::c_linear_search(known, key)) continue;
      const std::optional<std::string_view> nearest = NearestWord(key, known);
      return absl::InvalidArgumentError(absl::StrCat(
          name_, " option \"", Shortened(key, kShownBytes), "\" is not known; ",
          nearest
              ? absl::StrCat("did you mean \"", *nearest, "\"?")
              : absl::StrCat("the options are ", absl::StrJoin(known, ", "))));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> String(std::string_view option,
                                     std::string_view remedy) const {
    const Document* value = Find(option);
    if (value == nullptr) return std::string();
    if (!value->is_string() || value->get_ref<const std::string&>().empty()) {
      return Error(option, remedy);
    }
    return value->get<std::string>();
  }

  absl::StatusOr<std::vector<std::string>> Strings(
      std::string_view option, std::string_view remedy) const {
    std::vector<std::string> strings;
    const Document* value = Find(option);
    if (value == nullptr) return strings;
    if (!value->is_array()) return Error(option, remedy);
    for (const Document& item : *value) {
      if (!item.is_string() || item.get_ref<const std::string&>().empty()) {
        return Error(option, remedy);
      }
      strings.push_back(item.get<std::string>());
    }
    return strings;
  }

 private:
  std::string_view name_;
  const Document& document_;
};

absl::StatusOr<pid_t> ParsePid(const Section& instance) {
  const Document& value = *instance.Find("pid");
  int64_t number = 0;
  const bool is_number =
      value.is_number_integer()
          ? (number = value.get<int64_t>(), true)
          : value.is_string() &&
                absl::SimpleAtoi(value.get_ref<const std::string&>(), &number);
  constexpr int64_t kPidMax = int64_t{1} << 22;  // proc(5), kernel/pid_max
  if (!is_number || number <= 0 || number > kPidMax) {
    return instance.Error("pid",
                          "is not a process id; write its number, such as "
                          "pid: 1234");
  }
  return static_cast<pid_t>(number);
}

absl::StatusOr<bool> ParseExactMatch(const Section& instance) {
  const Document* value = instance.Find("exact_match");
  if (value == nullptr) return true;
  if (!value->is_boolean()) {
    return instance.Error("exact_match",
                          "is neither true nor false; write one of them, "
                          "without quotes");
  }
  return value->get<bool>();
}

absl::StatusOr<Selector> CompilePatterns(
    const Section& instance, const std::vector<std::string>& patterns) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxPatternBytes);
  // A command line need not be UTF-8, and must be searched all the same.
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  CommandLineSelector selector;
  for (const std::string& pattern : patterns) {
    auto compiled = std::make_shared<const re2::RE2>(pattern, options);
    if (!compiled->ok()) {
      return instance.Error(
          "search_string",
          absl::StrCat(
              "holds a pattern that does not compile: ", compiled->error(),
              ". The syntax is RE2's, which has no lookaround and "
              "no backreferences"));
    }
    selector.patterns.push_back(std::move(compiled));
  }
  return selector;
}

absl::StatusOr<Selector> ParseSearchString(const Section& instance,
                                           bool exact_match) {
  absl::StatusOr<std::vector<std::string>> strings = instance.Strings(
      "search_string",
      "is not a list of names or patterns; write search_string: [gunicorn]");
  if (!strings.ok()) return strings.status();
  if (strings->empty()) {
    return instance.Error("search_string",
                          "is empty, so it would match nothing; write "
                          "search_string: [gunicorn]");
  }
  if (exact_match) return NameSelector{*std::move(strings)};
  return CompilePatterns(instance, *strings);
}

absl::StatusOr<Selector> ParseSelector(const Section& instance) {
  std::vector<std::string_view> given;
  for (const std::string_view selector : kSelectors) {
    if (instance.Find(selector) != nullptr) given.push_back(selector);
  }
  if (given.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "instance: ",
        given.empty()
            ? std::string("no option chooses its processes")
            : absl::StrCat(absl::StrJoin(given, " and "), " are both given"),
        "; give exactly one of ", absl::StrJoin(kSelectors, ", ")));
  }
  const absl::StatusOr<bool> exact_match = ParseExactMatch(instance);
  if (!exact_match.ok()) return exact_match.status();
  if (given[0] == "search_string") {
    return ParseSearchString(instance, *exact_match);
  }
  if (given[0] == "pid") {
    const absl::StatusOr<pid_t> pid = ParsePid(instance);
    if (!pid.ok()) return pid.status();
    return PidSelector{*pid};
  }
  absl::StatusOr<std::string> path = instance.String(
      "pid_file", "is not a path; write pid_file: /run/app.pid");
  if (!path.ok()) return path.status();
  return PidFileSelector{*std::move(path)};
}

absl::StatusOr<absl::Duration> ParseInterval(const Section& instance,
                                             absl::Duration unset) {
  constexpr std::string_view kOption = "min_collection_interval";
  const Document* value = instance.Find(kOption);
  if (value == nullptr) return unset;
  if (!value->is_number() || !(value->get<double>() > 0) ||
      !std::isfinite(value->get<double>())) {
    return instance.Error(kOption,
                          "is not a number of seconds above zero; write "
                          "min_collection_interval: 15");
  }
  return absl::Seconds(value->get<double>());
}

}  // namespace

absl::StatusOr<Options> ParseOptions(const Document& init_config_document,
                                     const Document& instance_document) {
  const Document nothing = Document::object();
  const Section init_config("init_config", init_config_document.is_null()
                                               ? nothing
                                               : init_config_document);
  absl::Status keys = init_config.CheckKeys(kInitConfigOptions);
  if (!keys.ok()) return keys;
  const Section instance(
      "instance", instance_document.is_null() ? nothing : instance_document);
  keys = instance.CheckKeys(kInstanceOptions);
  if (!keys.ok()) return keys;

  Options options;
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

  absl::StatusOr<Selector> selector = ParseSelector(instance);
  if (!selector.ok()) return selector.status();
  options.selector = *std::move(selector);

  absl::StatusOr<std::vector<std::string>> tags = instance.Strings(
      "tags", R"(is not a list of tags; write tags: ["env:prod", "team:web"])");
  if (!tags.ok()) return tags.status();
  options.tags = *std::move(tags);

  const absl::StatusOr<absl::Duration> interval =
      ParseInterval(instance, options.min_collection_interval);
  if (!interval.ok()) return interval.status();
  options.min_collection_interval = *interval;

  absl::StatusOr<std::string> procfs_path = init_config.String(
      "procfs_path", "is not a path; write procfs_path: /host/proc");
  if (!procfs_path.ok()) return procfs_path.status();
  options.procfs_path = *std::move(procfs_path);
  return options;
}

}  // namespace pycheck

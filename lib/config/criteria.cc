#include "lib/config/criteria.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace pycheck {
namespace {

constexpr std::string_view kOptions[] = {
    "search_string",    "exact_match",  "pid",     "pid_file", "discover",
    "service_unit",     "container_id", "pod_uid", "exclude",  "user",
    "collect_children",
};

// A compiled expression takes at most this much memory, and this many steps for
// each character at the worst: of a 2 MiB command line that is seconds.
constexpr int64_t kMaxPatternBytes = int64_t{1} << 20;
constexpr int kMaxPatternSize = 1000;

absl::StatusOr<std::vector<Pattern>> CompilePatterns(
    const Section& instance, std::string_view option,
    const std::vector<std::string>& texts) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxPatternBytes);
  std::vector<Pattern> patterns;
  for (const std::string& text : texts) {
    auto compiled = std::make_shared<const re2::RE2>(text, options);
    if (!compiled->ok()) {
      return instance.Error(
          option,
          absl::StrCat(
              "holds a pattern that does not compile: ", compiled->error(),
              ". The syntax is RE2's, which of Python's lacks "
              "lookaround, backreferences, conditionals, possessive "
              "quantifiers and \\Z (write \\z)"));
    }
    if (compiled->ProgramSize() > kMaxPatternSize) {
      return instance.Error(
          option,
          "holds a pattern that is too large: write several smaller ones, or "
          "fewer repetitions");
    }
    patterns.push_back(std::move(compiled));
  }
  return patterns;
}

absl::StatusOr<Selector> ParsePid(const Section& instance) {
  constexpr int64_t kPidMax = int64_t{1} << 22;  // proc(5), kernel/pid_max
  const absl::StatusOr<int64_t> pid = instance.Number(
      "pid", 0, kPidMax,
      "is not a process id; write its number, such as pid: 1234");
  if (!pid.ok()) return pid.status();
  return PidSelector{static_cast<pid_t>(*pid)};
}

absl::StatusOr<Selector> ParsePidFile(const Section& instance) {
  absl::StatusOr<std::string> path = instance.String(
      "pid_file", "is not a path; write pid_file: /run/app.pid");
  if (!path.ok()) return path.status();
  return PidFileSelector{*std::move(path)};
}

absl::StatusOr<Selector> ParseSearchString(const Section& instance) {
  constexpr std::string_view kOption = "search_string";
  const absl::StatusOr<bool> exact = instance.Flag("exact_match", true);
  if (!exact.ok()) return exact.status();
  absl::StatusOr<std::vector<std::string>> strings = instance.Strings(
      kOption,
      "is not a list of names or patterns; write search_string: [gunicorn]");
  if (!strings.ok()) return strings.status();
  if (strings->empty()) {
    return instance.Error(kOption,
                          "is empty, so it would match nothing; write "
                          "search_string: [gunicorn]");
  }
  if (absl::c_linear_search(*strings, "All")) {
    return instance.Error(kOption,
                          "holds \"All\", which to the process check means "
                          "every process; write discover: all instead");
  }
  if (*exact) return NameSelector{*std::move(strings)};
  absl::StatusOr<std::vector<Pattern>> patterns =
      CompilePatterns(instance, kOption, *strings);
  if (!patterns.ok()) return patterns.status();
  return CommandLineSelector{*std::move(patterns)};
}

absl::StatusOr<Selector> ParseDiscover(const Section& instance) {
  if (*instance.Find("discover") != "all") {
    return instance.Error("discover",
                          "is not known; write discover: all, for every "
                          "process that holds a Python");
  }
  return DiscoverSelector{};
}

absl::StatusOr<Selector> ParseServiceUnit(const Section& instance) {
  absl::StatusOr<std::string> unit = instance.String(
      "service_unit",
      "is not the name of a unit; write service_unit: gunicorn.service");
  if (!unit.ok()) return unit.status();
  if (absl::StrContains(*unit, '/')) {
    return instance.Error("service_unit",
                          "is a path; write the unit's name, as systemctl "
                          "shows it: service_unit: gunicorn.service");
  }
  // As systemctl does.
  if (!absl::StrContains(*unit, '.')) unit->append(".service");
  return ServiceUnitSelector{*std::move(unit)};
}

absl::StatusOr<Selector> ParseContainerId(const Section& instance) {
  constexpr size_t kShortest = 12;  // what docker ps shows
  constexpr size_t kLongest = 64;
  constexpr std::string_view kRemedy =
      "is not a container's id; write 12 to 64 of its hexadecimal digits (in "
      "quotes, if they are all decimal)";
  absl::StatusOr<std::string> id = instance.String("container_id", kRemedy);
  if (!id.ok()) return id.status();
  absl::AsciiStrToLower(&*id);
  if (id->size() < kShortest || id->size() > kLongest ||
      id->find_first_not_of("0123456789abcdef-") != std::string::npos) {
    return instance.Error("container_id", kRemedy);
  }
  return ContainerSelector{*std::move(id)};
}

absl::StatusOr<Selector> ParsePodUid(const Section& instance) {
  constexpr size_t kLengthWithoutDashes = 32;
  constexpr std::string_view kRemedy =
      "is not a pod's uid; write that of the pod's metadata, or in an "
      "annotation \"%%kube_pod_uid%%\"";
  absl::StatusOr<std::string> uid = instance.String("pod_uid", kRemedy);
  if (!uid.ok()) return uid.status();
  absl::AsciiStrToLower(&*uid);
  const std::string digits = absl::StrReplaceAll(*uid, {{"-", ""}});
  if (digits.size() != kLengthWithoutDashes ||
      digits.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return instance.Error("pod_uid", kRemedy);
  }
  return PodSelector{*std::move(uid)};
}

struct SelectorOption {
  std::string_view name;
  absl::StatusOr<Selector> (*parse)(const Section& instance);
};
constexpr SelectorOption kSelectors[] = {
    {"search_string", ParseSearchString},
    {"pid", ParsePid},
    {"pid_file", ParsePidFile},
    {"discover", ParseDiscover},
    {"service_unit", ParseServiceUnit},
    {"container_id", ParseContainerId},
    {"pod_uid", ParsePodUid},
};

absl::StatusOr<Selector> ParseSelector(const Section& instance) {
  const auto name_of = [](std::string* text, const SelectorOption& option) {
    absl::StrAppend(text, option.name);
  };
  std::vector<SelectorOption> given;
  absl::c_copy_if(kSelectors, std::back_inserter(given),
                  [&](const SelectorOption& option) {
                    return instance.Find(option.name) != nullptr;
                  });
  if (given.size() != 1) {
    return instance.Error(absl::StrCat(
        given.empty() ? std::string("no option chooses its processes")
                      : absl::StrCat(absl::StrJoin(given, " and ", name_of),
                                     " are both given"),
        "; give exactly one of ", absl::StrJoin(kSelectors, ", ", name_of)));
  }
  return given.front().parse(instance);
}

// A user may be given by its number.
absl::StatusOr<std::string> ParseUser(const Section& instance) {
  const Document* value = instance.Find("user");
  if (value != nullptr && value->is_number_integer() &&
      value->get<int64_t>() >= 0) {
    return absl::StrCat(value->get<int64_t>());
  }
  return instance.String("user", "is not a user; write user: www-data");
}

}  // namespace

absl::Span<const std::string_view> CriteriaOptions() { return kOptions; }

absl::StatusOr<Criteria> ParseCriteria(const Section& instance) {
  Criteria criteria;
  absl::StatusOr<Selector> selector = ParseSelector(instance);
  if (!selector.ok()) return selector.status();
  criteria.selector = *std::move(selector);

  const absl::StatusOr<bool> exact = instance.Flag("exact_match", true);
  if (!exact.ok()) return exact.status();

  const absl::StatusOr<bool> children =
      instance.Flag("collect_children", false);
  if (!children.ok()) return children.status();
  criteria.collect_children = *children;

  absl::StatusOr<std::string> user = ParseUser(instance);
  if (!user.ok()) return user.status();
  criteria.user = *std::move(user);

  const absl::StatusOr<std::vector<std::string>> exclude = instance.Strings(
      "exclude", "is not a list of patterns; write exclude: [celery]");
  if (!exclude.ok()) return exclude.status();
  absl::StatusOr<std::vector<Pattern>> patterns =
      CompilePatterns(instance, "exclude", *exclude);
  if (!patterns.ok()) return patterns.status();
  criteria.exclude = *std::move(patterns);
  return criteria;
}

}  // namespace pycheck

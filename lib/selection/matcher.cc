#include "lib/selection/matcher.h"

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/users.h"
#include "lib/base/utf8.h"
#include "lib/procfs/cgroup.h"
#include "lib/procfs/stat.h"
#include "lib/selection/pid_file.h"

namespace pycheck {
namespace {

bool IsFoundIn(const std::string& line, const Pattern& pattern) {
  return absl::StrContains(line, pattern->pattern()) ||
         re2::RE2::PartialMatch(line, *pattern);
}

absl::StatusOr<bool> AnyIsFound(const std::vector<Pattern>& patterns,
                                const Procfs& procfs, pid_t pid) {
  absl::StatusOr<std::string> bytes = ReadCommandLine(procfs, pid);
  if (!bytes.ok()) return bytes.status();
  // It need not be text, and is searched all the same.
  const std::string line = WithoutInvalidUtf8(*std::move(bytes));
  return !line.empty() && absl::c_any_of(patterns, [&](const Pattern& each) {
    return IsFoundIn(line, each);
  });
}

struct Selects {
  const Procfs& procfs;
  pid_t pid;
  std::optional<pid_t> named;

  absl::StatusOr<bool> operator()(const PidSelector& /*selector*/) const {
    return pid == named;
  }
  absl::StatusOr<bool> operator()(const PidFileSelector& /*selector*/) const {
    return pid == named;
  }
  absl::StatusOr<bool> operator()(const NameSelector& selector) const {
    const absl::StatusOr<std::string> name = ReadProcessName(procfs, pid);
    if (!name.ok()) return name.status();
    return absl::c_linear_search(selector.names, *name);
  }
  absl::StatusOr<bool> operator()(const CommandLineSelector& selector) const {
    return AnyIsFound(selector.patterns, procfs, pid);
  }
  absl::StatusOr<bool> operator()(const ServiceUnitSelector& selector) const {
    const absl::StatusOr<std::string> cgroups = ReadCgroups(procfs, pid);
    if (!cgroups.ok()) return cgroups.status();
    return IsInUnit(*cgroups, selector.unit);
  }
  absl::StatusOr<bool> operator()(const ContainerSelector& selector) const {
    const absl::StatusOr<std::string> cgroups = ReadCgroups(procfs, pid);
    if (!cgroups.ok()) return cgroups.status();
    const auto id = FindContainerId(*cgroups);
    return id && absl::StartsWith(*id, selector.id);
  }
  absl::StatusOr<bool> operator()(const PodSelector& selector) const {
    const absl::StatusOr<std::string> cgroups = ReadCgroups(procfs, pid);
    if (!cgroups.ok()) return cgroups.status();
    return IsInPod(*cgroups, selector.uid);
  }
  // Whether there is a Python in it is seen in its memory; the kernel's own
  // processes have none.
  absl::StatusOr<bool> operator()(const DiscoverSelector& /*selector*/) const {
    StatBuffer buffer;
    const absl::StatusOr<Stat> stat = ReadStat(procfs, pid, buffer);
    if (!stat.ok()) return stat.status();
    return stat->size_bytes > 0;
  }
};

}  // namespace

Matcher::Matcher(Criteria criteria) : criteria_(std::move(criteria)) {
  if (const auto* selector = std::get_if<PidSelector>(&criteria_.selector)) {
    pid_ = selector->pid;
  }
}

absl::Status Matcher::Prepare() {
  if (!criteria_.user.empty() && !user_) {
    const absl::StatusOr<uid_t> user = FindUser(criteria_.user);
    if (absl::IsNotFound(user.status())) {
      return absl::NotFoundError(absl::StrCat(
          R"(instance option "user": there is no user ")", criteria_.user, "\"",
          " here; write the name of one, or, where the Agent does not know the "
          "machine's users, as in a container, the number"));
    }
    if (!user.ok()) return user.status();
    user_ = *user;
  }
  if (const auto* file = std::get_if<PidFileSelector>(&criteria_.selector)) {
    const absl::StatusOr<pid_t> pid = ReadPidFile(file->path);
    if (!pid.ok()) return pid.status();
    pid_ = *pid;
  }
  return absl::OkStatus();
}

absl::StatusOr<Verdict> Matcher::Judge(const Procfs& procfs, pid_t pid) const {
  const absl::StatusOr<bool> selected =
      std::visit(Selects{procfs, pid, pid_}, criteria_.selector);
  if (!selected.ok()) return selected.status();
  Verdict verdict{.selected = *selected};
  if (!verdict.selected && !criteria_.collect_children) return verdict;
  const absl::StatusOr<bool> kept = IsKept(procfs, pid);
  if (!kept.ok()) return kept.status();
  verdict.kept = *kept;
  return verdict;
}

absl::StatusOr<bool> Matcher::IsKept(const Procfs& procfs, pid_t pid) const {
  if (user_) {
    const absl::StatusOr<uid_t> user = ReadUser(procfs, pid);
    if (!user.ok()) return user.status();
    if (*user != *user_) return false;
  }
  if (criteria_.exclude.empty()) return true;
  const absl::StatusOr<bool> excluded =
      AnyIsFound(criteria_.exclude, procfs, pid);
  if (!excluded.ok()) return excluded.status();
  return !*excluded;
}

}  // namespace pycheck

#ifndef PYCHECK_LIB_CONFIG_CRITERIA_H_
#define PYCHECK_LIB_CONFIG_CRITERIA_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "lib/config/section.h"
#include "re2/re2.h"

namespace pycheck {

// A text to find in a command line, or a regular expression to match there;
// both are UTF-8.
using Pattern = std::shared_ptr<const re2::RE2>;

// The option with which an instance chooses its processes. Where Datadog's
// process check has one, the meaning is the same.
struct PidSelector {
  pid_t pid;
};
struct PidFileSelector {
  std::string path;
};
struct NameSelector {  // the process's name is one of these
  std::vector<std::string> names;
};
struct CommandLineSelector {  // one of these is found in the command line
  std::vector<Pattern> patterns;
};
struct ServiceUnitSelector {  // systemd runs it in this unit
  std::string unit;
};
struct ContainerSelector {  // its container's id begins with this
  std::string id;
};
struct PodSelector {  // of Kubernetes
  std::string uid;
};
struct DiscoverSelector {};  // every process that holds a Python
using Selector = std::variant<PidSelector, PidFileSelector, NameSelector,
                              CommandLineSelector, ServiceUnitSelector,
                              ContainerSelector, PodSelector, DiscoverSelector>;

// Which processes an instance is about: those that the selector chooses, with
// all that descend from them if `collect_children`; of these the ones of
// `user`, unless that is empty, in whose command line no pattern of `exclude`
// is found.
struct Criteria {
  Selector selector;
  bool collect_children = false;
  std::string user;
  std::vector<Pattern> exclude;
};

// The options that ParseCriteria reads.
absl::Span<const std::string_view> CriteriaOptions();

// Reads and checks them; the errors are those of Section.
absl::StatusOr<Criteria> ParseCriteria(const Section& instance);

}  // namespace pycheck

#endif  // PYCHECK_LIB_CONFIG_CRITERIA_H_

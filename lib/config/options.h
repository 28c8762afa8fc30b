#ifndef PYCHECK_LIB_CONFIG_OPTIONS_H_
#define PYCHECK_LIB_CONFIG_OPTIONS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/config/document.h"
#include "re2/re2.h"

namespace pycheck {

// How an instance chooses its processes; the meanings are those of Datadog's
// process check.
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
  std::vector<std::shared_ptr<const re2::RE2>> patterns;
};
using Selector = std::variant<PidSelector, PidFileSelector, NameSelector,
                              CommandLineSelector>;

// One instance of conf.yaml together with its init_config.
struct Options {
  std::string name;
  Selector selector;
  std::vector<std::string> tags;
  absl::Duration min_collection_interval = absl::Seconds(15);
  std::string procfs_path;  // empty: not configured
};

// Reads and checks both. An error is kInvalidArgument, and its message, for the
// person who wrote the file, names the option, the value and the remedy.
absl::StatusOr<Options> ParseOptions(const Document& init_config,
                                     const Document& instance);

}  // namespace pycheck

#endif  // PYCHECK_LIB_CONFIG_OPTIONS_H_

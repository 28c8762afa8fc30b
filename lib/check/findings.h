#ifndef PYCHECK_LIB_CHECK_FINDINGS_H_
#define PYCHECK_LIB_CHECK_FINDINGS_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"

namespace pycheck {

// What a person should know of a run: what was left out, and why. One message
// for each kind. Not thread-safe.
class Findings {
 public:
  // Each has a service check that shows its messages.
  enum class Topic {
    kProcesses,  // which there are
    kCounts,     // of their collectors
  };

  // Begins a run.
  void Clear();

  // `kind` tells one finding of a topic from another, from run to run.
  void Add(Topic topic, std::string_view kind, std::string message);

  bool Has(Topic topic, std::string_view kind) const;

  // All messages of a topic, a sentence each.
  std::string Message(Topic topic) const;

  // The messages of the kinds that the run before did not have: a warning is
  // said when its cause comes, and not again until it has gone.
  std::vector<std::string> New() const;

 private:
  using Key = std::pair<Topic, std::string>;

  absl::btree_map<Key, std::string> messages_;
  absl::btree_set<Key> before_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_CHECK_FINDINGS_H_

#ifndef PYCHECK_CHECK_NATIVE_REGISTRY_H_
#define PYCHECK_CHECK_NATIVE_REGISTRY_H_

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/check/check.h"

namespace pycheck {

// The instances that the Agent runs, by check id. The loader's interface has no
// call that says an instance ends, so one that was not run for kForgottenAfter
// intervals, and for kForgottenNotBefore, is dropped with its descriptors when
// another one runs. Thread-safe; no instance waits for another's configuration.
class Registry {
 public:
  static constexpr int kForgottenAfter = 20;
  static constexpr absl::Duration kForgottenNotBefore = absl::Minutes(10);

  // One instance. Its own mutex is held while it runs.
  struct Instance {
    std::mutex mutex;
    std::string init_config;
    std::string instance_config;
    absl::Duration interval;
    std::unique_ptr<Check> check;
  };

  // The instance of `check_id`, configured as these YAML texts say: made new
  // when there is none, or one of another configuration. `now` is the time of
  // a clock that does not go back.
  absl::StatusOr<std::shared_ptr<Instance>> Find(
      std::string_view check_id, std::string_view init_config,
      std::string_view instance_config, absl::Duration now);

  size_t size() const;

 private:
  struct Entry {
    std::shared_ptr<Instance> instance;
    absl::Duration last_run;
  };

  using Entries = absl::flat_hash_map<std::string, Entry>;

  std::shared_ptr<Instance> FindConfigured(std::string_view check_id,
                                           std::string_view init_config,
                                           std::string_view instance_config,
                                           absl::Duration now);
  Entries TakeForgotten(absl::Duration now);

  mutable std::mutex mutex_;
  Entries entries_;
};

}  // namespace pycheck

#endif  // PYCHECK_CHECK_NATIVE_REGISTRY_H_

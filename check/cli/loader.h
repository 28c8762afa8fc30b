#ifndef PYCHECK_CHECK_CLI_LOADER_H_
#define PYCHECK_CHECK_CLI_LOADER_H_

#include <string>

#include "absl/status/statusor.h"
#include "check/cli/recording.h"

namespace pycheck {

// The native door, loaded as the Agent's shared-library loader does. One object
// at a time, used by one thread: the callbacks of that interface know no
// caller, so what they get goes to the one run under way.
class Loader {
 public:
  // kFailedPrecondition when the library cannot be loaded or lacks an entry
  // point.
  static absl::StatusOr<Loader> Open(const std::string& path);
  Loader(Loader&& other) noexcept;
  Loader& operator=(Loader&&) = delete;
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  ~Loader();

  std::string Version() const;

  // Runs an instance once, and adds what it hands over to `recording`.
  void Run(const std::string& check_id, const std::string& init_config,
           const std::string& instance, Recording& recording) const;

 private:
  explicit Loader(void* library) : library_(library) {}

  void* library_;
};

}  // namespace pycheck

#endif  // PYCHECK_CHECK_CLI_LOADER_H_

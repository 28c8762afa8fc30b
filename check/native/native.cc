#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "check/native/agent.h"
#include "check/native/native_sink.h"
#include "check/native/registry.h"
#include "lib/base/deadline.h"

namespace pycheck {
namespace {

// Destroyed by dlclose(3), and with it all that the library holds.
Registry& TheRegistry() {
  static Registry registry;
  return registry;
}

std::string_view OrEmpty(const char* text) {
  return text == nullptr ? std::string_view() : text;
}

absl::Status RunInstance(char* check_id, const char* init_config,
                         const char* instance_config,
                         const AgentCallbacks* callbacks) {
  if (check_id == nullptr || callbacks == nullptr) {
    return absl::InvalidArgumentError("called without check id or callbacks");
  }
  absl::StatusOr<std::shared_ptr<Registry::Instance>> instance =
      TheRegistry().Find(check_id, OrEmpty(init_config),
                         OrEmpty(instance_config), MonotonicTime());
  if (!instance.ok()) return instance.status();
  const std::lock_guard<std::mutex> lock((*instance)->mutex);
  absl::Status status = (*instance)->check->Collect();
  NativeSink sink(check_id, *callbacks);
  // The loader's interface has no way to ask the Agent's tagger.
  (*instance)->check->Report(sink, /*tagger=*/nullptr);
  return status;
}

// strdup(3), but that it says nothing where there is no memory for a copy.
void SetError(const char** error, const char* message) {
  if (error != nullptr) *error = strdup(message);
}

}  // namespace
}  // namespace pycheck

// NOLINTNEXTLINE(bugprone-exception-escape)
extern "C" __attribute__((visibility("default"))) void Run(
    char* check_id, char* init_config, char* instance_config,
    const AgentCallbacks* callbacks, const char** error) {
  try {
    const absl::Status status =
        pycheck::RunInstance(check_id, init_config, instance_config, callbacks);
    if (!status.ok()) {
      pycheck::SetError(error, std::string(status.message()).c_str());
    }
  } catch (const std::exception& exception) {
    pycheck::SetError(error, exception.what());
  } catch (...) {
    pycheck::SetError(error, "unknown exception");
  }
}

extern "C" __attribute__((visibility("default"))) const char* Version(void) {
  return PYCHECK_VERSION;
}

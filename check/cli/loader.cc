#include "check/cli/loader.h"

#include <dlfcn.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "check/native/agent.h"

namespace pycheck {
namespace {

Recording* current_recording = nullptr;

std::vector<std::string> Tags(char** tags) {
  std::vector<std::string> copies;
  for (; *tags != nullptr; ++tags) copies.emplace_back(*tags);
  return copies;
}

// NOLINTBEGIN(readability-non-const-parameter): the interface has them so.
void SubmitMetric(char* check_id, int /*type*/, char* name, double value,
                  char** tags, char* /*hostname*/, bool /*flush*/) {
  current_recording->gauges.push_back({check_id, name, value, Tags(tags)});
}

void SubmitServiceCheck(char* check_id, char* name, int status, char** tags,
                        char* /*hostname*/, char* message) {
  current_recording->service_checks.push_back(
      {check_id, name, status, Tags(tags), message});
}

// NOLINTEND(readability-non-const-parameter)

// The check uses neither events nor histograms.
constexpr AgentCallbacks kCallbacks = {
    .submit_metric = SubmitMetric,
    .submit_service_check = SubmitServiceCheck,
    .submit_event = nullptr,
    .submit_histogram_bucket = nullptr,
    .submit_event_platform_event = nullptr,
};

}  // namespace

absl::StatusOr<Loader> Loader::Open(const std::string& path) {
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return absl::FailedPreconditionError(
        // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread.
        absl::StrCat("cannot load the check: ", dlerror()));
  }
  Loader loader(library);
  for (const char* entry_point : {"Run", "Version"}) {
    if (dlsym(library, entry_point) == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, " has no function ", entry_point));
    }
  }
  return loader;
}

Loader::Loader(Loader&& other) noexcept
    : library_(std::exchange(other.library_, nullptr)) {}

Loader::~Loader() {
  if (library_ != nullptr) dlclose(library_);
}

std::string Loader::Version() const {
  return reinterpret_cast<decltype(&::Version)>(dlsym(library_, "Version"))();
}

void Loader::Run(const std::string& check_id, const std::string& init_config,
                 const std::string& instance, Recording& recording) const {
  const auto run = reinterpret_cast<decltype(&::Run)>(dlsym(library_, "Run"));
  const char* error = nullptr;
  current_recording = &recording;
  run(const_cast<char*>(check_id.c_str()),
      const_cast<char*>(init_config.c_str()),
      const_cast<char*>(instance.c_str()), &kCallbacks, &error);
  current_recording = nullptr;
  if (error != nullptr) {
    recording.failures.push_back({check_id, error});
    std::free(const_cast<char*>(error));
  }
}

}  // namespace pycheck

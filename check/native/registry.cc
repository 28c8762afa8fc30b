#include "check/native/registry.h"

#include <algorithm>
#include <utility>

#include "lib/config/document.h"
#include "lib/config/options.h"
#include "lib/procfs/procfs.h"

namespace pycheck {
namespace {

// In the Agent's container the host's is mounted beside its own.
std::string DefaultProcfs() {
  constexpr char kHosts[] = "/host/proc";
  return Procfs::Open(kHosts).ok() ? kHosts : "/proc";
}

absl::StatusOr<std::shared_ptr<Registry::Instance>> Configure(
    std::string_view init_config, std::string_view instance_config) {
  const absl::StatusOr<Document> init_document = ParseYaml(init_config);
  if (!init_document.ok()) return init_document.status();
  const absl::StatusOr<Document> instance_document = ParseYaml(instance_config);
  if (!instance_document.ok()) return instance_document.status();
  absl::StatusOr<Options> options =
      ParseOptions(*init_document, *instance_document);
  if (!options.ok()) return options.status();

  auto instance = std::make_shared<Registry::Instance>();
  instance->init_config = init_config;
  instance->instance_config = instance_config;
  instance->interval = options->min_collection_interval;
  absl::StatusOr<Check> check =
      Check::Create(*std::move(options), DefaultProcfs());
  if (!check.ok()) return check.status();
  instance->check = std::make_unique<Check>(*std::move(check));
  return instance;
}

bool IsConfigured(const Registry::Instance* instance,
                  std::string_view init_config,
                  std::string_view instance_config) {
  return instance != nullptr && instance->init_config == init_config &&
         instance->instance_config == instance_config;
}

}  // namespace

absl::StatusOr<std::shared_ptr<Registry::Instance>> Registry::Find(
    std::string_view check_id, std::string_view init_config,
    std::string_view instance_config, absl::Duration now) {
  std::shared_ptr<Instance> known =
      FindConfigured(check_id, init_config, instance_config, now);
  if (known != nullptr) return known;

  // Neither configuring nor closing descriptors keeps others waiting.
  absl::StatusOr<std::shared_ptr<Instance>> made =
      Configure(init_config, instance_config);
  if (!made.ok()) return made.status();
  Entry replaced{*made, now};
  const std::lock_guard<std::mutex> lock(mutex_);
  Entry& entry = entries_[std::string(check_id)];
  // Another thread may have configured it meanwhile.
  if (!IsConfigured(entry.instance.get(), init_config, instance_config)) {
    std::swap(entry, replaced);
  }
  return entry.instance;
}

// The instance that is there with this configuration, or null.
std::shared_ptr<Registry::Instance> Registry::FindConfigured(
    std::string_view check_id, std::string_view init_config,
    std::string_view instance_config, absl::Duration now) {
  Entries forgotten;  // destroyed after the lock is given back
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = entries_.find(check_id);
  const bool known =
      found != entries_.end() &&
      IsConfigured(found->second.instance.get(), init_config, instance_config);
  if (known) found->second.last_run = now;
  std::shared_ptr<Instance> instance = known ? found->second.instance : nullptr;
  forgotten = TakeForgotten(now);
  return instance;
}

size_t Registry::size() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return entries_.size();
}

Registry::Entries Registry::TakeForgotten(absl::Duration now) {
  Entries forgotten;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto current = entry++;
    const absl::Duration limit =
        std::max(kForgottenNotBefore,
                 kForgottenAfter * current->second.instance->interval);
    if (now - current->second.last_run > limit) {
      forgotten.insert(entries_.extract(current));
    }
  }
  return forgotten;
}

}  // namespace pycheck

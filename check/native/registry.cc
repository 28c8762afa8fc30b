#include "check/native/registry.h"

#include <utility>

#include "lib/config/document.h"
#include "lib/config/options.h"

namespace pycheck {
namespace {

constexpr char kDefaultProcfs[] = "/proc";

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
      Check::Create(*std::move(options), kDefaultProcfs);
  if (!check.ok()) return check.status();
  instance->check = std::make_unique<Check>(*std::move(check));
  return instance;
}

}  // namespace

absl::StatusOr<std::shared_ptr<Registry::Instance>> Registry::Find(
    std::string_view check_id, std::string_view init_config,
    std::string_view instance_config, absl::Duration now) {
  const std::lock_guard<std::mutex> lock(mutex_);
  DropForgotten(now);
  if (const auto found = entries_.find(check_id); found != entries_.end()) {
    Entry& entry = found->second;
    if (entry.instance->init_config == init_config &&
        entry.instance->instance_config == instance_config) {
      entry.last_run = now;
      return entry.instance;
    }
    entries_.erase(found);
  }
  absl::StatusOr<std::shared_ptr<Instance>> instance =
      Configure(init_config, instance_config);
  if (!instance.ok()) return instance.status();
  entries_.insert_or_assign(std::string(check_id), Entry{*instance, now});
  return instance;
}

size_t Registry::size() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return entries_.size();
}

void Registry::DropForgotten(absl::Duration now) {
  absl::erase_if(entries_, [now](const auto& item) {
    const Entry& entry = item.second;
    return now - entry.last_run > kForgottenAfter * entry.instance->interval;
  });
}

}  // namespace pycheck

#include "lib/check/findings.h"

#include "absl/strings/str_cat.h"

namespace pycheck {

void Findings::Clear() {
  before_.clear();
  for (const auto& [key, message] : messages_) before_.insert(key);
  messages_.clear();
}

void Findings::Add(Topic topic, std::string_view kind, std::string message) {
  messages_.insert_or_assign(Key(topic, kind), std::move(message));
}

bool Findings::Has(Topic topic, std::string_view kind) const {
  return messages_.contains(Key(topic, kind));
}

std::string Findings::Message(Topic topic) const {
  std::string text;
  for (const auto& [key, message] : messages_) {
    if (key.first != topic) continue;
    absl::StrAppend(&text, text.empty() ? "" : ". ", message);
  }
  return text;
}

std::vector<std::string> Findings::New() const {
  std::vector<std::string> messages;
  for (const auto& [key, message] : messages_) {
    if (!before_.contains(key)) messages.push_back(message);
  }
  return messages;
}

}  // namespace pycheck

#include "lib/procfs/thread_switches.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"

namespace pycheck {
namespace {

// The counts come last, after the groups of its user.
absl::StatusOr<ContextSwitches> ReadThread(const std::string& path) {
  constexpr size_t kLongest = size_t{1} << 20;
  const absl::StatusOr<std::string> text = ReadWholeFile(path, kLongest);
  if (!text.ok()) return text.status();
  return ParseThreadContextSwitches(*text);
}

// What a counter has grown by; all of it when it went back, as then a new
// thread has the old one's id.
uint64_t Growth(uint64_t before, uint64_t now) {
  return now >= before ? now - before : now;
}

}  // namespace

absl::StatusOr<ContextSwitches> ThreadSwitches::Read(const Procfs& procfs,
                                                     pid_t pid) {
  const std::string directory = procfs.ProcessPath(pid, "task");
  const absl::StatusOr<std::vector<pid_t>> threads = ListIds(directory);
  if (!threads.ok()) return threads.status();
  if (threads->size() > kMaxThreads) {
    return absl::ResourceExhaustedError(
        absl::StrCat("more than ", kMaxThreads, " threads"));
  }
  absl::flat_hash_map<pid_t, ContextSwitches> now;
  now.reserve(threads->size());
  for (const pid_t thread : *threads) {
    const absl::StatusOr<ContextSwitches> switches =
        ReadThread(absl::StrCat(directory, "/", thread, "/status"));
    if (absl::IsNotFound(switches.status())) continue;  // it has just ended
    if (!switches.ok()) return switches.status();
    now[thread] = *switches;
  }
  for (const auto& [thread, switches] : now) {
    const ContextSwitches before = last_[thread];
    total_.voluntary += Growth(before.voluntary, switches.voluntary);
    total_.involuntary += Growth(before.involuntary, switches.involuntary);
  }
  last_ = std::move(now);
  return total_;
}

}  // namespace pycheck

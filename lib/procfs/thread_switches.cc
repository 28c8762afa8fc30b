#include "lib/procfs/thread_switches.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "lib/base/errno_status.h"
#include "lib/base/file.h"

namespace pycheck {
namespace {

// The counts come last, after the groups of its user, of which there may be
// many.
absl::StatusOr<ContextSwitches> ReadThread(int task, pid_t thread) {
  constexpr size_t kLongest = size_t{1} << 20;
  std::array<char, 32> path;
  absl::SNPrintF(path.data(), path.size(), "%d/status", thread);
  const UniqueFd fd = TryOpenAt(task, path.data());
  if (!fd.valid()) return ErrnoStatus(errno, "cannot open a thread's status");
  std::array<char, 4096> buffer;
  const absl::StatusOr<std::string_view> text =
      ReadFromStart(fd.get(), absl::MakeSpan(buffer), "a thread's status");
  if (!text.ok()) return text.status();
  if (text->size() < buffer.size()) return ParseThreadContextSwitches(*text);
  std::string longer(kLongest, '\0');
  const absl::StatusOr<std::string_view> whole =
      ReadFromStart(fd.get(), absl::MakeSpan(longer), "a thread's status");
  if (!whole.ok()) return whole.status();
  return ParseThreadContextSwitches(*whole);
}

// What a counter has grown by; all of it when it went back, as then a new
// thread has the old one's id.
uint64_t Growth(uint64_t before, uint64_t now) {
  return now >= before ? now - before : now;
}

}  // namespace

absl::StatusOr<ContextSwitches> ThreadSwitches::Read(const Procfs& procfs,
                                                     pid_t pid) {
  const absl::StatusOr<UniqueFd> task =
      procfs.OpenFile(pid, "task", O_DIRECTORY);
  if (!task.ok()) return task.status();
  const absl::Status listed = ListIds(task->get(), ids_);
  if (!listed.ok()) return listed;
  if (ids_.size() > kMaxThreads) {
    return absl::ResourceExhaustedError(
        absl::StrCat("more than ", kMaxThreads, " threads"));
  }
  now_.clear();
  for (const pid_t thread : ids_) {
    const absl::StatusOr<ContextSwitches> switches =
        ReadThread(task->get(), thread);
    if (absl::IsNotFound(switches.status())) continue;  // it has just ended
    if (!switches.ok()) return switches.status();
    now_.push_back({.id = thread, .switches = *switches});
  }
  std::sort(now_.begin(), now_.end(),
            [](const Thread& a, const Thread& b) { return a.id < b.id; });
  for (const Thread& thread : now_) {
    const ContextSwitches before = Before(thread.id);
    total_.voluntary += Growth(before.voluntary, thread.switches.voluntary);
    total_.involuntary +=
        Growth(before.involuntary, thread.switches.involuntary);
  }
  std::swap(last_, now_);
  return total_;
}

ContextSwitches ThreadSwitches::Before(pid_t thread) const {
  const auto place = std::lower_bound(
      last_.begin(), last_.end(), thread,
      [](const Thread& each, pid_t id) { return each.id < id; });
  const bool known = place != last_.end() && place->id == thread;
  return known ? place->switches : ContextSwitches();
}

}  // namespace pycheck

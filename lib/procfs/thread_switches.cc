#include "lib/procfs/thread_switches.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
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

// A status file. The counts come last, after the groups of the user, of which
// there may be many; most files fit into `buffer`.
struct StatusText {
  std::array<char, 4096> buffer;
  std::string longer;

  absl::StatusOr<std::string_view> Read(int fd) {
    constexpr size_t kLongest = size_t{1} << 20;
    absl::StatusOr<std::string_view> text =
        ReadFromStart(fd, absl::MakeSpan(buffer), "a thread's status");
    if (!text.ok() || text->size() < buffer.size()) return text;
    longer.resize(kLongest);
    return ReadFromStart(fd, absl::MakeSpan(longer), "a thread's status");
  }
};

absl::StatusOr<ContextSwitches> ReadThread(int task, pid_t thread) {
  std::array<char, 32> path;
  absl::SNPrintF(path.data(), path.size(), "%d/status", thread);
  const UniqueFd fd = TryOpenAt(task, path.data());
  if (!fd.valid()) return ErrnoStatus(errno, "cannot open a thread's status");
  StatusText status;
  const absl::StatusOr<std::string_view> text = status.Read(fd.get());
  if (!text.ok()) return text.status();
  return ParseThreadContextSwitches(*text);
}

// Of a process of one thread, whose status is the process's; nothing where it
// has more.
absl::StatusOr<std::optional<ContextSwitches>> ReadOnlyThread(
    const Procfs& procfs, pid_t pid) {
  const absl::StatusOr<UniqueFd> fd = procfs.OpenFile(pid, "status");
  if (!fd.ok()) return fd.status();
  StatusText status;
  const absl::StatusOr<std::string_view> text = status.Read(fd->get());
  if (!text.ok()) return text.status();
  if (FindStatusField(*text, "Threads") != "1") return std::nullopt;
  const absl::StatusOr<ContextSwitches> switches =
      ParseThreadContextSwitches(*text);
  if (!switches.ok()) return switches.status();
  return *switches;
}

// What a counter has grown by; all of it when it went back, as then a new
// thread has the old one's id.
uint64_t Growth(uint64_t before, uint64_t now) {
  return now >= before ? now - before : now;
}

}  // namespace

absl::StatusOr<ContextSwitches> ThreadSwitches::Read(const Procfs& procfs,
                                                     pid_t pid) {
  now_.clear();
  if (last_.size() <= 1) {
    const auto only = ReadOnlyThread(procfs, pid);
    if (!only.ok()) return only.status();
    if (*only) now_.push_back({.id = pid, .switches = **only});
  }
  if (now_.empty()) {
    const absl::Status listed = ReadThreads(procfs, pid);
    if (!listed.ok()) return listed;
  }
  for (const Thread& thread : now_) {
    const ContextSwitches before = Before(thread.id);
    total_.voluntary += Growth(before.voluntary, thread.switches.voluntary);
    total_.involuntary +=
        Growth(before.involuntary, thread.switches.involuntary);
  }
  std::swap(last_, now_);
  return total_;
}

absl::Status ThreadSwitches::ReadThreads(const Procfs& procfs, pid_t pid) {
  const absl::StatusOr<UniqueFd> task =
      procfs.OpenFile(pid, "task", O_DIRECTORY);
  if (!task.ok()) return task.status();
  absl::Status listed = ListIds(task->get(), ids_);
  if (!listed.ok()) return listed;
  if (ids_.size() > kMaxThreads) {
    return absl::ResourceExhaustedError(
        absl::StrCat("more than ", kMaxThreads, " threads"));
  }
  for (const pid_t thread : ids_) {
    const absl::StatusOr<ContextSwitches> switches =
        ReadThread(task->get(), thread);
    if (absl::IsNotFound(switches.status())) continue;  // it has just ended
    if (!switches.ok()) return switches.status();
    now_.push_back({.id = thread, .switches = *switches});
  }
  std::sort(now_.begin(), now_.end(),
            [](const Thread& a, const Thread& b) { return a.id < b.id; });
  return absl::OkStatus();
}

ContextSwitches ThreadSwitches::Before(pid_t thread) const {
  const auto place = std::lower_bound(
      last_.begin(), last_.end(), thread,
      [](const Thread& each, pid_t id) { return each.id < id; });
  const bool known = place != last_.end() && place->id == thread;
  return known ? place->switches : ContextSwitches();
}

}  // namespace pycheck

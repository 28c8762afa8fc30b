#include "lib/process/collector.h"

#include <fcntl.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"

namespace pycheck {
namespace {

// A process in which no collector was found is searched again after 1, 2, 4 …
// readings. CPython may be loaded late: then the address space has grown, and
// it is looked for within a few readings. Where the size is as it was, rights
// may have been granted, or a collection have ended.
constexpr int kMaxWaitAfterChange = 4;
constexpr int kMaxWait = 32;

// How often a process is searched for a Python that its program does not
// export, which costs more.
constexpr int kMaxProgramSearches = 32;

// An interpreter that is found while it is being initialised may not yet have
// written its version down.
constexpr int kMaxSearchesForVersion = 3;

}  // namespace

absl::StatusOr<std::optional<GcCounts>> Collector::Read(const Procfs& procfs,
                                                        pid_t pid,
                                                        uint64_t size_pages,
                                                        Binaries& binaries) {
  images_ = {};
  auto counts = TryRead(procfs, pid, size_pages, binaries);
  status_ = counts.status();
  return counts;
}

absl::StatusOr<std::optional<GcCounts>> Collector::TryRead(const Procfs& procfs,
                                                           pid_t pid,
                                                           uint64_t size_pages,
                                                           Binaries& binaries) {
  if (interpreter_) {
    const absl::Status opened = OpenMemory(procfs, pid);
    if (!opened.ok()) return opened;
    if (!interpreter_->has_counts()) return std::nullopt;
    if (interpreter_->version().empty() &&
        ++searches_for_version_ <= kMaxSearchesForVersion) {
      const absl::Status found = Find(procfs, pid, binaries);
      if (absl::IsNotFound(found)) return found;
    }
    const absl::StatusOr<GcCounts> counts = interpreter_->ReadCounts(*memory_);
    if (counts.ok()) return *counts;
    if (!absl::IsUnavailable(counts.status())) return counts.status();
    // Finalised perhaps, and initialised again.
    interpreter_.reset();
  } else if (!IsSearchDue(size_pages)) {
    return status_;
  }
  readings_since_search_ = 0;
  searched_size_pages_ = size_pages;
  const absl::Status found = Find(procfs, pid, binaries);
  if (!found.ok()) {
    ++fruitless_searches_;
    return found;
  }
  fruitless_searches_ = 0;
  if (!interpreter_->has_counts()) return std::nullopt;
  const absl::StatusOr<GcCounts> counts = interpreter_->ReadCounts(*memory_);
  if (!counts.ok()) return counts.status();
  return *counts;
}

void Collector::Release() {
  interpreter_.reset();
  memory_.reset();
  images_ = {};
}

bool Collector::IsSearchDue(uint64_t size_pages) {
  if (fruitless_searches_ == 0) return true;
  const int wait = 1 << std::min(fruitless_searches_ - 1, 16);
  const int most =
      size_pages != searched_size_pages_ ? kMaxWaitAfterChange : kMaxWait;
  return ++readings_since_search_ >= std::min(wait, most);
}

absl::Status Collector::OpenMemory(const Procfs& procfs, pid_t pid) {
  if (memory_) return absl::OkStatus();
  absl::StatusOr<UniqueFd> mem = procfs.OpenFile(pid, "mem");
  if (!mem.ok()) return mem.status();
  memory_.emplace(*std::move(mem));
  return absl::OkStatus();
}

absl::Status Collector::Find(const Procfs& procfs, pid_t pid,
                             Binaries& binaries) {
  absl::Status opened = OpenMemory(procfs, pid);
  if (!opened.ok()) return opened;
  const absl::StatusOr<UniqueFd> maps = procfs.OpenFile(pid, "maps");
  if (!maps.ok()) return maps.status();
  absl::StatusOr<std::vector<MappedImage>> images =
      ReadMappedImages(maps->get());
  if (!images.ok()) return images.status();
  images_ = *std::move(images);
  absl::StatusOr<Interpreter> interpreter = Interpreter::Find(
      *memory_, images_, binaries, fruitless_searches_ < kMaxProgramSearches);
  if (!interpreter.ok()) return interpreter.status();
  interpreter_ = *std::move(interpreter);
  return absl::OkStatus();
}

}  // namespace pycheck

#include "lib/process/collector.h"

#include <fcntl.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/procfs/maps.h"

namespace pycheck {
namespace {

// A process in which no collector was found is searched again after 1, 2, 4 …
// readings, and at the last after each so many: CPython may be loaded late, and
// rights may be granted.
constexpr int kMaxSearchInterval = 32;

}  // namespace

absl::StatusOr<GcCounts> Collector::Read(const Procfs& procfs, pid_t pid) {
  absl::StatusOr<GcCounts> counts = TryRead(procfs, pid);
  status_ = counts.status();
  return counts;
}

absl::StatusOr<GcCounts> Collector::TryRead(const Procfs& procfs, pid_t pid) {
  if (!interpreter_) {
    if (readings_until_search_ > 0) {
      --readings_until_search_;
      return status_;
    }
    const absl::Status found = Find(procfs, pid);
    if (!found.ok()) {
      if (!absl::IsUnavailable(found)) {
        readings_until_search_ = search_interval_ - 1;
        search_interval_ = std::min(2 * search_interval_, kMaxSearchInterval);
      }
      return found;
    }
  }
  absl::StatusOr<GcCounts> counts = interpreter_->ReadCounts(*memory_);
  if (!counts.ok()) interpreter_.reset();
  return counts;
}

absl::Status Collector::Find(const Procfs& procfs, pid_t pid) {
  if (!memory_) {
    absl::StatusOr<UniqueFd> mem = OpenFile(procfs.ProcessPath(pid, "mem"));
    if (!mem.ok()) return mem.status();
    memory_.emplace(*std::move(mem));
  }
  const absl::StatusOr<UniqueFd> maps =
      OpenFile(procfs.ProcessPath(pid, "maps"));
  if (!maps.ok()) return maps.status();
  const absl::StatusOr<std::vector<MappedImage>> images =
      ReadMappedImages(maps->get());
  if (!images.ok()) return images.status();
  absl::StatusOr<Interpreter> interpreter =
      Interpreter::Find(*memory_, *images);
  if (!interpreter.ok()) return interpreter.status();
  interpreter_ = *std::move(interpreter);
  search_interval_ = 1;
  return absl::OkStatus();
}

}  // namespace pycheck

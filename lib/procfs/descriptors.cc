#include "lib/procfs/descriptors.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"

namespace pycheck {
namespace {

// What is known of a file without asking the file system that it is on.
struct Kind {
  uint32_t device_major;
  uint32_t device_minor;
  bool is_regular;
};

std::optional<Kind> KindOf(const UniqueFd& fd) {
  struct statx known {};
  if (!fd.valid() ||
      syscall(SYS_statx, fd.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
              STATX_TYPE, &known) != 0) {
    return std::nullopt;
  }
  return Kind{.device_major = known.stx_dev_major,
              .device_minor = known.stx_dev_minor,
              .is_regular = S_ISREG(known.stx_mode)};
}

// All files in memory are on one file system, which nobody can mount.
std::optional<Kind> KindOfMemoryFiles() {
  return KindOf(
      UniqueFd(static_cast<int>(syscall(SYS_memfd_create, "", MFD_CLOEXEC))));
}

// A descriptor that opens nothing, to begin with.
UniqueFd OpenIfInMemory(int directory, const std::string& number,
                        const Kind& in_memory) {
  const UniqueFd place = TryOpenAt(directory, number.c_str(), O_PATH);
  const std::optional<Kind> kind = KindOf(place);
  if (!kind || !kind->is_regular ||
      kind->device_major != in_memory.device_major ||
      kind->device_minor != in_memory.device_minor) {
    return {};
  }
  return TryOpenAt(AT_FDCWD,
                   absl::StrCat("/proc/self/fd/", place.get()).c_str());
}

bool LinkBegins(int directory, const std::string& number,
                std::string_view target) {
  std::array<char, 256> link;
  const ssize_t length =
      readlinkat(directory, number.c_str(), link.data(), link.size());
  return length > 0 &&
         absl::StartsWith(
             std::string_view(link.data(), static_cast<size_t>(length)),
             target);
}

}  // namespace

absl::StatusOr<std::vector<UniqueFd>> OpenMemoryFiles(const Procfs& procfs,
                                                      pid_t pid,
                                                      std::string_view name) {
  const absl::StatusOr<UniqueFd> directory =
      procfs.OpenFile(pid, "fd", O_DIRECTORY);
  if (!directory.ok()) return directory.status();
  std::vector<pid_t> numbers;
  absl::Status listed = ListIds(directory->get(), numbers);
  if (!listed.ok()) return listed;
  if (numbers.size() > kMaxDescriptors) numbers.resize(kMaxDescriptors);
  const std::string target = absl::StrCat("/memfd:", name);
  std::vector<UniqueFd> files;
  std::optional<Kind> in_memory;
  for (const pid_t each : numbers) {
    const std::string number = absl::StrCat(each);
    if (!LinkBegins(directory->get(), number, target)) continue;
    if (!in_memory) in_memory = KindOfMemoryFiles();
    if (!in_memory) {
      return absl::FailedPreconditionError("no statx(2) or memfd_create(2)");
    }
    UniqueFd file = OpenIfInMemory(directory->get(), number, *in_memory);
    if (file.valid()) files.push_back(std::move(file));
    if (files.size() == kMaxMemoryFiles) break;
  }
  return files;
}

}  // namespace pycheck

#include "lib/procfs/descriptors.h"

#include <dirent.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/errno_status.h"

namespace pycheck {

absl::StatusOr<std::vector<std::string>> FindDescriptors(
    const Procfs& procfs, pid_t pid, std::string_view target) {
  const std::string directory = procfs.ProcessPath(pid, "fd");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(opendir(directory.c_str()),
                                                   closedir);
  if (!stream) {
    return ErrnoStatus(errno, absl::StrCat("cannot list ", directory));
  }
  std::vector<std::string> found;
  for (int i = 0; i < kMaxDescriptors; ++i) {
    // One thread reads this stream, for which readdir is safe.
    const dirent* const entry =
        readdir(stream.get());  // NOLINT(concurrency-mt-unsafe)
    if (entry == nullptr) break;
    std::array<char, 256> link;
    const ssize_t length = readlinkat(dirfd(stream.get()), entry->d_name,
                                      link.data(), link.size());
    if (length > 0 &&
        absl::StartsWith(
            std::string_view(link.data(), static_cast<size_t>(length)),
            target)) {
      found.push_back(absl::StrCat(directory, "/", entry->d_name));
    }
  }
  return found;
}

}  // namespace pycheck

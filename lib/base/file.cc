#include "lib/base/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lib/base/errno_status.h"

namespace pycheck {

UniqueFd TryOpenAt(int dir_fd, const char* path, int flags) {
  return UniqueFd(openat(dir_fd, path,
                         O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags));
}

absl::StatusOr<UniqueFd> OpenAt(int dir_fd, const std::string& path,
                                int flags) {
  UniqueFd fd = TryOpenAt(dir_fd, path.c_str(), flags);
  if (!fd.valid()) {
    return ErrnoStatus(errno, absl::StrCat("cannot open ", path));
  }
  return fd;
}

absl::StatusOr<UniqueFd> OpenFile(const std::string& path, int flags) {
  return OpenAt(AT_FDCWD, path, flags);
}

absl::StatusOr<std::string_view> ReadFromStart(int fd, absl::Span<char> buffer,
                                               std::string_view what) {
  ssize_t length;
  do {
    length = pread(fd, buffer.data(), buffer.size(), 0);
  } while (length < 0 && errno == EINTR);
  if (length < 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot read ", what));
  }
  return std::string_view(buffer.data(), static_cast<size_t>(length));
}

absl::StatusOr<std::string> ReadFileStart(const std::string& path,
                                          size_t limit) {
  absl::StatusOr<UniqueFd> fd = OpenFile(path);
  if (!fd.ok()) return fd.status();
  std::string content;
  char chunk[4096];
  while (content.size() < limit) {
    const ssize_t length =
        read(fd->get(), chunk, std::min(sizeof(chunk), limit - content.size()));
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) {
      return ErrnoStatus(errno, absl::StrCat("cannot read ", path));
    }
    if (length == 0) break;
    content.append(chunk, static_cast<size_t>(length));
  }
  return content;
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path,
                                          size_t limit) {
  absl::StatusOr<std::string> content = ReadFileStart(path, limit + 1);
  if (content.ok() && content->size() > limit) {
    return absl::OutOfRangeError(
        absl::StrCat(path, " is longer than ", limit, " bytes"));
  }
  return content;
}

}  // namespace pycheck

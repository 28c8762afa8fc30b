#ifndef PYCHECK_LIB_BASE_FILE_H_
#define PYCHECK_LIB_BASE_FILE_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "lib/base/unique_fd.h"

namespace pycheck {

// Files are opened read-only and close-on-exec; a FIFO or device cannot make
// the caller wait. Every function may be called from any thread, and reports
// an errno as the status code that ErrnoStatus gives it, with `path`
// (or `what`) in the message.

// Opens `path`, which is relative to the directory `dir_fd` (openat(2)).
absl::StatusOr<UniqueFd> OpenAt(int dir_fd, const std::string& path,
                                int flags = 0);
absl::StatusOr<UniqueFd> OpenFile(const std::string& path, int flags = 0);

// The same; where it fails there is no message but errno.
UniqueFd TryOpenAt(int dir_fd, const char* path, int flags = 0);

// Reads from the start of a file of /proc in one pread(2), as these files are
// generated at each read. Returns the part of `buffer` that was filled; a file
// longer than `buffer` is cut. `what` names the file in an error.
absl::StatusOr<std::string_view> ReadFromStart(int fd, absl::Span<char> buffer,
                                               std::string_view what);

// Reads the first `limit` bytes of a file, or all of a shorter one.
absl::StatusOr<std::string> ReadFileStart(const std::string& path,
                                          size_t limit);

// Reads a whole file of at most `limit` bytes; a longer one is
// kOutOfRange.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path,
                                          size_t limit);

}  // namespace pycheck

#endif  // PYCHECK_LIB_BASE_FILE_H_

#ifndef PYCHECK_LIB_BASE_UNIQUE_FD_H_
#define PYCHECK_LIB_BASE_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace pycheck {

// Owns one file descriptor and closes it. Movable, not copyable.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() {
    if (fd_ >= 0) close(fd_);
  }

  // The descriptor, or a negative number where none is owned.
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_BASE_UNIQUE_FD_H_

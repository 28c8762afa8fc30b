#include "lib/procfs/maps.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lib/base/errno_status.h"

namespace pycheck {
namespace {

// Takes the characters up to `end` off the front of `rest`, and `end` too.
std::string_view TakeUntil(std::string_view& rest, char end) {
  const size_t length = std::min(rest.find(end), rest.size());
  const std::string_view field = rest.substr(0, length);
  rest.remove_prefix(std::min(length + 1, rest.size()));
  return field;
}

bool ParseNumber(std::string_view text, int base, uint64_t& value) {
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

// Joins the mappings of one file, which follow one another, into an image.
class ImageCollector {
 public:
  void Add(const Mapping& mapping) {
    if (mapping.inode == 0) return;
    if (mapping.inode != inode_ || mapping.device != device_ ||
        (mapping.offset == 0 &&
         (mapping.path != path_ || (base_ && executable_)))) {
      Finish();
      inode_ = mapping.inode;
      device_ = mapping.device;
      path_ = mapping.path;
    }
    if (mapping.offset == 0 && mapping.readable && !base_) {
      base_ = mapping.begin;
    }
    executable_ = executable_ || mapping.executable;
  }

  void Finish() {
    if (base_ && executable_) {
      images_.push_back({.base = *base_,
                         .path = std::move(path_),
                         .device = device_,
                         .inode = inode_});
    }
    base_.reset();
    executable_ = false;
    inode_ = 0;
  }

  std::vector<MappedImage> Take() && { return std::move(images_); }

 private:
  std::vector<MappedImage> images_;
  uint64_t inode_ = 0;
  std::string device_;
  std::string path_;
  std::optional<uint64_t> base_;
  bool executable_ = false;
};

}  // namespace

absl::StatusOr<Mapping> ParseMapping(std::string_view line) {
  Mapping mapping;
  std::string_view rest = line;
  const bool range = ParseNumber(TakeUntil(rest, '-'), 16, mapping.begin) &&
                     ParseNumber(TakeUntil(rest, ' '), 16, mapping.end);
  const std::string_view permissions = TakeUntil(rest, ' ');
  if (!range || mapping.begin >= mapping.end || permissions.size() != 4 ||
      !ParseNumber(TakeUntil(rest, ' '), 16, mapping.offset)) {
    return absl::InvalidArgumentError(
        absl::StrCat("malformed line in maps: ", line.substr(0, 200)));
  }
  mapping.readable = permissions[0] == 'r';
  mapping.executable = permissions[2] == 'x';
  mapping.device = TakeUntil(rest, ' ');
  if (!ParseNumber(TakeUntil(rest, ' '), 10, mapping.inode)) {
    return absl::InvalidArgumentError(
        absl::StrCat("malformed line in maps: ", line.substr(0, 200)));
  }
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  mapping.path = rest;
  return mapping;
}

absl::StatusOr<std::vector<MappedImage>> ReadMappedImages(int fd) {
  // A line is at most a path (PATH_MAX, four characters for each newline in
  // it) and a hundred characters before it.
  std::array<char, size_t{32} << 10> buffer;
  size_t filled = 0;
  off_t position = 0;
  int count = 0;
  ImageCollector collector;
  while (true) {
    const ssize_t length =
        pread(fd, buffer.data() + filled, buffer.size() - filled, position);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return ErrnoStatus(errno, "cannot read maps");
    if (length == 0) break;
    position += length;
    filled += static_cast<size_t>(length);

    std::string_view text(buffer.data(), filled);
    for (size_t end; (end = text.find('\n')) != std::string_view::npos;
         text.remove_prefix(end + 1)) {
      if (++count > kMaxMappings) {
        return absl::OutOfRangeError("too many mappings");
      }
      absl::StatusOr<Mapping> mapping = ParseMapping(text.substr(0, end));
      if (!mapping.ok()) return mapping.status();
      collector.Add(*mapping);
    }
    if (text.size() == buffer.size()) {
      return absl::InvalidArgumentError("a line in maps has no end");
    }
    filled = text.size();
    std::memmove(buffer.data(), text.data(), filled);
  }
  collector.Finish();
  return std::move(collector).Take();
}

}  // namespace pycheck

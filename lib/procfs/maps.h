#ifndef PYCHECK_LIB_PROCFS_MAPS_H_
#define PYCHECK_LIB_PROCFS_MAPS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace pycheck {

// One line of /proc/PID/maps, proc_pid_maps(5).
struct Mapping {
  uint64_t begin;
  uint64_t end;
  bool readable;
  bool executable;
  uint64_t offset;
  std::string_view device;  // "major:minor", a view into the parsed line
  uint64_t inode;           // 0: backed by no file
  std::string_view path;    // a view into the parsed line; may be empty
};

// Parses one line, without its newline; kInvalidArgument when it is malformed.
absl::StatusOr<Mapping> ParseMapping(std::string_view line);

// A file that is mapped from its first byte and has an executable part: an
// executable or a shared library.
struct MappedImage {
  uint64_t base;       // where the file's first byte is mapped
  std::string path;    // as the kernel names it, in the process's own root
  std::string device;  // "major:minor", of the file
  uint64_t inode;      // of the file
};

// Reads the images of a process from `fd`, its open /proc/PID/maps, in the
// order of their addresses. Needs the rights of a tracer (ptrace(2),
// PTRACE_MODE_READ). Gives kOutOfRange when there are more mappings than
// kMaxMappings, the number that Linux allows by default being 65,530.
inline constexpr int kMaxMappings = 1 << 20;
absl::StatusOr<std::vector<MappedImage>> ReadMappedImages(int fd);

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCFS_MAPS_H_

#ifndef PYCHECK_LIB_CPYTHON_VERSION_H_
#define PYCHECK_LIB_CPYTHON_VERSION_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/memory.h"
#include "lib/elf/image.h"

namespace pycheck {

// The parts of PY_VERSION_HEX (patchlevel.h).
inline int MajorOf(uint32_t version_hex) {
  return static_cast<int>(version_hex >> 24);
}
inline int MinorOf(uint32_t version_hex) {
  return static_cast<int>((version_hex >> 16) & 0xff);
}

// PY_VERSION_HEX as platform.python_version() gives it, such as "3.13.0rc1";
// without the "+" that a build between two releases may have.
std::string VersionFromHex(uint32_t version_hex);

// The version of the CPython in an image, as platform.python_version() gives
// it: the first word of sys.version, which Py_GetVersion() writes to a static
// buffer of the image (getversion.c) while the interpreter is initialised.
// Reads the image's zero-filled data, at most 4 MiB of each segment. Empty when
// it is not there.
//   kNotFound  the address space has gone
absl::StatusOr<std::string> FindVersion(const Memory& memory,
                                        const Image& image);

}  // namespace pycheck

#endif  // PYCHECK_LIB_CPYTHON_VERSION_H_

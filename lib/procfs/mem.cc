#include "lib/procfs/mem.h"

#include <unistd.h>

#include <cerrno>
#include <limits>

#include "absl/strings/str_cat.h"

namespace pycheck {

absl::Status ProcessMemory::Read(uint64_t address, absl::Span<char> out) const {
  if (address > uint64_t{std::numeric_limits<off_t>::max()}) {
    return absl::OutOfRangeError("not an address of user space");
  }
  ssize_t length;
  do {
    length =
        pread(mem_.get(), out.data(), out.size(), static_cast<off_t>(address));
  } while (length < 0 && errno == EINTR);
  if (length == static_cast<ssize_t>(out.size())) return absl::OkStatus();
  if (length == 0) return absl::NotFoundError("its address space has gone");
  return absl::OutOfRangeError(absl::StrCat(
      "cannot read ", out.size(), " bytes at 0x", absl::Hex(address)));
}

}  // namespace pycheck

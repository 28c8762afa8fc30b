#ifndef PYCHECK_LIB_ELF_IMAGE_H_
#define PYCHECK_LIB_ELF_IMAGE_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "lib/base/memory.h"

namespace pycheck {

// A symbol of an image, with its address in the process.
struct Symbol {
  uint64_t address;
  uint64_t size;
};

// An ELF image (executable or shared library) in the memory of a process. All
// of it is read from there: headers, PT_DYNAMIC, the hash table and the
// symbols are mapped (gabi, "Program Loading and Dynamic Linking"), and no file
// is opened. Every value in it is hostile: each address is checked against the
// image's own segments, and each loop has a bound.
class Image {
 public:
  // Reads the image whose ELF header is at `base`. Needs `memory` only during
  // the call.
  //   kInvalidArgument  what is there is not a 64-bit little-endian ELF image,
  //                     or its headers contradict themselves
  //   kNotFound         the address space has gone
  static absl::StatusOr<Image> Read(const Memory& memory, uint64_t base);

  // Looks up an exported symbol through DT_GNU_HASH or DT_HASH.
  //   kFailedPrecondition  the image does not define it
  //   kInvalidArgument     its tables contradict themselves
  //   kNotFound            the address space has gone
  absl::StatusOr<Symbol> FindSymbol(const Memory& memory,
                                    std::string_view name) const;

 private:
  Image() = default;

  absl::Status ReadDynamic(const Memory& memory, uint64_t address,
                           uint64_t size);
  uint64_t Relocated(uint64_t address) const;
  bool Contains(uint64_t address, uint64_t size) const;
  absl::StatusOr<Symbol> FindInGnuHash(const Memory& memory,
                                       std::string_view name) const;
  absl::StatusOr<Symbol> FindInSysvHash(const Memory& memory,
                                        std::string_view name) const;
  absl::StatusOr<Symbol> ReadSymbol(const Memory& memory, uint32_t index,
                                    std::string_view name) const;

  uint64_t begin_ = 0;      // of the segments, in the process
  uint64_t end_ = 0;        // past the segments, zero-filled data included
  uint64_t load_bias_ = 0;  // added to an address in the image; may wrap
  uint64_t symbols_ = 0;
  uint64_t strings_ = 0;
  uint64_t strings_size_ = 0;
  uint64_t gnu_hash_ = 0;  // 0: the image has none
  uint64_t sysv_hash_ = 0;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_ELF_IMAGE_H_

#ifndef PYCHECK_LIB_ELF_SYMBOLS_H_
#define PYCHECK_LIB_ELF_SYMBOLS_H_

#include <cstdint>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "lib/base/memory.h"
#include "lib/elf/image.h"

namespace pycheck {

// A symbol of an image, with its address in the process.
struct Symbol {
  uint64_t address;
  uint64_t size;
};

// The symbols that an image exports, which no stripping takes away. They are
// read from the process: PT_DYNAMIC, the hash table and the symbols are mapped
// (gabi, "Dynamic Linking"). Every value in them is hostile: each address is
// checked against the image, and each loop has a bound.
class ExportedSymbols {
 public:
  // Needs `memory` only during the call.
  //   kInvalidArgument  the image has none, or its dynamic section contradicts
  //                     itself
  //   kNotFound         the address space has gone
  static absl::StatusOr<ExportedSymbols> Read(const Memory& memory,
                                              const Image& image);

  // Looks up a symbol through DT_GNU_HASH or DT_HASH.
  //   kFailedPrecondition  the image does not define it
  //   kInvalidArgument     its tables contradict themselves
  //   kNotFound            the address space has gone
  absl::StatusOr<Symbol> Find(const Memory& memory,
                              std::string_view name) const;

 private:
  explicit ExportedSymbols(Image image) : image_(std::move(image)) {}

  uint64_t Relocated(uint64_t address) const;
  absl::StatusOr<Symbol> FindInGnuHash(const Memory& memory,
                                       std::string_view name) const;
  absl::StatusOr<Symbol> FindInSysvHash(const Memory& memory,
                                        std::string_view name) const;
  absl::StatusOr<Symbol> ReadSymbol(const Memory& memory, uint32_t index,
                                    std::string_view name) const;

  Image image_;
  uint64_t symbols_ = 0;
  uint64_t strings_ = 0;
  uint64_t strings_size_ = 0;
  uint64_t gnu_hash_ = 0;  // 0: the image has none
  uint64_t sysv_hash_ = 0;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_ELF_SYMBOLS_H_

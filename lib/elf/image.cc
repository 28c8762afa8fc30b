#include "lib/elf/image.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string_view>

#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace pycheck {
namespace {

// What a linker writes stays far below these.
constexpr int kMaxSegments = 64;
constexpr uint64_t kMaxImageSize = uint64_t{1} << 32;

// The least that is mapped of a file.
constexpr size_t kPage = 4096;
using Page = std::array<char, kPage>;

absl::Status Malformed(std::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("malformed ELF image: ", why));
}

bool IsSupported(const Elf64_Ehdr& header) {
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
         header.e_ident[EI_CLASS] == ELFCLASS64 &&
         header.e_ident[EI_DATA] == ELFDATA2LSB &&
         (header.e_type == ET_EXEC || header.e_type == ET_DYN) &&
         header.e_phentsize == sizeof(Elf64_Phdr);
}

bool IsInBounds(const Elf64_Phdr& segment, uint64_t first_address) {
  return segment.p_vaddr - first_address <= kMaxImageSize &&
         segment.p_memsz <= kMaxImageSize &&
         segment.p_filesz <= segment.p_memsz;
}

}  // namespace

absl::StatusOr<Image> Image::Read(const Memory& memory, uint64_t base) {
  Page page;
  const absl::Status status = memory.Read(base, absl::MakeSpan(page));
  if (absl::IsNotFound(status)) return status;
  if (!status.ok()) return Malformed("no header");
  Elf64_Ehdr header;
  std::memcpy(&header, page.data(), sizeof(header));
  if (!IsSupported(header)) return Malformed("not one for this machine");
  if (header.e_phnum == 0 || header.e_phnum > kMaxSegments ||
      header.e_phoff > kPage - header.e_phnum * sizeof(Elf64_Phdr) ||
      base > std::numeric_limits<uint64_t>::max() - 2 * kMaxImageSize) {
    return Malformed("program headers");
  }
  std::array<Elf64_Phdr, kMaxSegments> storage;
  std::memcpy(storage.data(), page.data() + header.e_phoff,
              header.e_phnum * sizeof(Elf64_Phdr));
  const auto segments = absl::MakeSpan(storage).subspan(0, header.e_phnum);

  const auto* const first =
      std::find_if(segments.begin(), segments.end(), [](const Elf64_Phdr& s) {
        return s.p_type == PT_LOAD && s.p_offset == 0;
      });
  if (first == segments.end()) return Malformed("no first segment");
  Image image;
  image.base_ = base;
  image.end_ = base;
  image.load_bias_ = base - first->p_vaddr;
  image.is_program_ = header.e_type == ET_EXEC;
  image.fingerprint_ = absl::HashOf(std::string_view(page.data(), page.size()));
  for (const Elf64_Phdr& segment : segments) {
    const uint64_t begin = image.load_bias_ + segment.p_vaddr;
    if (segment.p_type == PT_INTERP) image.is_program_ = true;
    if (segment.p_type == PT_DYNAMIC) {
      image.dynamic_ = begin;
      image.dynamic_size_ = segment.p_memsz;
    }
    if (segment.p_type != PT_LOAD) continue;
    if (!IsInBounds(segment, first->p_vaddr)) {
      return Malformed("segment out of bounds");
    }
    image.end_ = std::max(image.end_, begin + segment.p_memsz);
    if ((segment.p_flags & PF_W) != 0) {
      image.data_.push_back({.begin = begin,
                             .zeros = begin + segment.p_filesz,
                             .end = begin + segment.p_memsz});
    }
  }
  return image;
}

bool Image::Contains(uint64_t address, uint64_t size) const {
  return address >= base_ && address <= end_ && size <= end_ - address;
}

}  // namespace pycheck

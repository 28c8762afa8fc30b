#include "lib/elf/symbols.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace pycheck {
namespace {

// What a linker writes stays far below each of these.
constexpr uint64_t kMaxDynamicEntries = 512;
constexpr int kMaxChain = 256;
constexpr size_t kMaxSymbolName = 64;

absl::Status Malformed(std::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("malformed ELF image: ", why));
}

absl::Status NotDefined(std::string_view name) {
  return absl::FailedPreconditionError(
      absl::StrCat("no symbol ", name, " in this image"));
}

// A read that fails because the image sent us to a wrong place is the image's
// fault; that the process has gone is not.
absl::Status AsMalformed(const absl::Status& status, std::string_view what) {
  return absl::IsNotFound(status) ? status : Malformed(what);
}

uint32_t GnuHash(std::string_view name) {
  uint32_t hash = 5381;
  for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
  return hash;
}

uint32_t SysvHash(std::string_view name) {
  uint32_t hash = 0;
  for (const char c : name) {
    hash = (hash << 4) + static_cast<unsigned char>(c);
    const uint32_t high = hash & 0xf0000000;
    hash = (hash ^ (high >> 24)) & ~high;
  }
  return hash;
}

}  // namespace

absl::StatusOr<ExportedSymbols> ExportedSymbols::Read(const Memory& memory,
                                                      const Image& image) {
  const uint64_t count =
      std::min(image.dynamic_size() / sizeof(Elf64_Dyn), kMaxDynamicEntries);
  if (!image.Contains(image.dynamic(), count * sizeof(Elf64_Dyn))) {
    return Malformed("dynamic section out of bounds");
  }
  std::array<Elf64_Dyn, kMaxDynamicEntries> storage;
  const auto entries = absl::MakeSpan(storage).subspan(0, count);
  const absl::Status status = memory.Read(
      image.dynamic(), absl::MakeSpan(reinterpret_cast<char*>(entries.data()),
                                      count * sizeof(Elf64_Dyn)));
  if (!status.ok()) return AsMalformed(status, "dynamic section");
  ExportedSymbols symbols(image);
  for (const Elf64_Dyn& entry : entries) {
    if (entry.d_tag == DT_NULL) break;
    switch (entry.d_tag) {
      case DT_SYMTAB:
        symbols.symbols_ = symbols.Relocated(entry.d_un.d_ptr);
        break;
      case DT_STRTAB:
        symbols.strings_ = symbols.Relocated(entry.d_un.d_ptr);
        break;
      case DT_STRSZ:
        symbols.strings_size_ = entry.d_un.d_val;
        break;
      case DT_GNU_HASH:
        symbols.gnu_hash_ = symbols.Relocated(entry.d_un.d_ptr);
        break;
      case DT_HASH:
        symbols.sysv_hash_ = symbols.Relocated(entry.d_un.d_ptr);
        break;
      default:
        break;
    }
  }
  if (symbols.symbols_ == 0 || symbols.strings_ == 0 ||
      !image.Contains(symbols.strings_, symbols.strings_size_)) {
    return Malformed("no symbols");
  }
  return symbols;
}

// glibc's loader relocates the addresses in the dynamic section in place,
// musl's leaves them as they are in the file.
uint64_t ExportedSymbols::Relocated(uint64_t address) const {
  return image_.Contains(address, 0) ? address : image_.load_bias() + address;
}

absl::StatusOr<Symbol> ExportedSymbols::Find(const Memory& memory,
                                             std::string_view name) const {
  if (gnu_hash_ != 0) return FindInGnuHash(memory, name);
  if (sysv_hash_ != 0) return FindInSysvHash(memory, name);
  return NotDefined(name);
}

absl::StatusOr<Symbol> ExportedSymbols::FindInGnuHash(
    const Memory& memory, std::string_view name) const {
  struct Header {
    uint32_t bucket_count;
    uint32_t first_symbol;
    uint32_t bloom_words;
    uint32_t bloom_shift;
  };
  if (!image_.Contains(gnu_hash_, sizeof(Header)))
    return Malformed("hash table");
  const absl::StatusOr<Header> header = memory.Read<Header>(gnu_hash_);
  if (!header.ok()) return AsMalformed(header.status(), "hash table");
  if (header->bucket_count == 0) return NotDefined(name);

  const uint32_t hash = GnuHash(name);
  const uint64_t buckets = gnu_hash_ + sizeof(Header) +
                           uint64_t{header->bloom_words} * sizeof(uint64_t);
  const uint64_t chains =
      buckets + uint64_t{header->bucket_count} * sizeof(uint32_t);
  const uint64_t bucket =
      buckets + uint64_t{hash % header->bucket_count} * sizeof(uint32_t);
  if (!image_.Contains(bucket, sizeof(uint32_t)))
    return Malformed("hash table");
  const absl::StatusOr<uint32_t> start = memory.Read<uint32_t>(bucket);
  if (!start.ok()) return AsMalformed(start.status(), "hash bucket");
  if (*start == 0) return NotDefined(name);
  if (*start < header->first_symbol) return Malformed("hash bucket");

  uint32_t index = *start;
  for (int steps = 0; steps < kMaxChain; ++steps, ++index) {
    const uint64_t link =
        chains + uint64_t{index - header->first_symbol} * sizeof(uint32_t);
    if (!image_.Contains(link, sizeof(uint32_t)))
      return Malformed("hash chain");
    const absl::StatusOr<uint32_t> value = memory.Read<uint32_t>(link);
    if (!value.ok()) return AsMalformed(value.status(), "hash chain");
    // The lowest bit marks the end of a chain.
    if ((*value | 1) == (hash | 1)) {
      absl::StatusOr<Symbol> symbol = ReadSymbol(memory, index, name);
      if (!absl::IsFailedPrecondition(symbol.status())) return symbol;
    }
    if ((*value & 1) != 0) return NotDefined(name);
  }
  return Malformed("endless hash chain");
}

absl::StatusOr<Symbol> ExportedSymbols::FindInSysvHash(
    const Memory& memory, std::string_view name) const {
  struct Header {
    uint32_t bucket_count;
    uint32_t chain_count;
  };
  if (!image_.Contains(sysv_hash_, sizeof(Header)))
    return Malformed("hash table");
  const absl::StatusOr<Header> header = memory.Read<Header>(sysv_hash_);
  if (!header.ok()) return AsMalformed(header.status(), "hash table");
  if (header->bucket_count == 0) return NotDefined(name);

  const uint64_t buckets = sysv_hash_ + sizeof(Header);
  const uint64_t chains =
      buckets + uint64_t{header->bucket_count} * sizeof(uint32_t);
  uint64_t link = buckets + uint64_t{SysvHash(name) % header->bucket_count} *
                                sizeof(uint32_t);
  for (int steps = 0; steps < kMaxChain; ++steps) {
    if (!image_.Contains(link, sizeof(uint32_t)))
      return Malformed("hash chain");
    const absl::StatusOr<uint32_t> index = memory.Read<uint32_t>(link);
    if (!index.ok()) return AsMalformed(index.status(), "hash chain");
    if (*index == STN_UNDEF) return NotDefined(name);
    absl::StatusOr<Symbol> symbol = ReadSymbol(memory, *index, name);
    if (!absl::IsFailedPrecondition(symbol.status())) return symbol;
    link = chains + uint64_t{*index} * sizeof(uint32_t);
  }
  return Malformed("endless hash chain");
}

// The symbol `index` if it is a definition of `name`; kFailedPrecondition when
// it is another symbol.
absl::StatusOr<Symbol> ExportedSymbols::ReadSymbol(
    const Memory& memory, uint32_t index, std::string_view name) const {
  const uint64_t entry = symbols_ + uint64_t{index} * sizeof(Elf64_Sym);
  if (!image_.Contains(entry, sizeof(Elf64_Sym))) return Malformed("symbol");
  const absl::StatusOr<Elf64_Sym> symbol = memory.Read<Elf64_Sym>(entry);
  if (!symbol.ok()) return AsMalformed(symbol.status(), "symbol");
  if (symbol->st_shndx == SHN_UNDEF || name.size() >= kMaxSymbolName) {
    return NotDefined(name);
  }
  if (symbol->st_name > strings_size_ ||
      name.size() + 1 > strings_size_ - symbol->st_name) {
    return NotDefined(name);
  }
  std::array<char, kMaxSymbolName> text;
  const absl::Status status =
      memory.Read(strings_ + symbol->st_name,
                  absl::MakeSpan(text).subspan(0, name.size() + 1));
  if (!status.ok()) return AsMalformed(status, "symbol name");
  if (std::string_view(text.data(), name.size()) != name ||
      text[name.size()] != '\0') {
    return NotDefined(name);
  }
  const uint64_t address = image_.load_bias() + symbol->st_value;
  if (!image_.Contains(address, symbol->st_size)) {
    return Malformed("symbol out of bounds");
  }
  return Symbol{.address = address, .size = symbol->st_size};
}

}  // namespace pycheck

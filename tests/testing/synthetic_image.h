#ifndef PYCHECK_TESTS_TESTING_SYNTHETIC_IMAGE_H_
#define PYCHECK_TESTS_TESTING_SYNTHETIC_IMAGE_H_

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace pycheck {

// A small ELF image as a loader would have mapped it, with symbols to find.
// Everything in it has a fixed place, for a test to break.
struct SyntheticImage {
  static constexpr uint64_t kProgramHeaders = 0x40;
  static constexpr uint64_t kFirstSegment = kProgramHeaders;
  static constexpr uint64_t kDataSegment = kFirstSegment + sizeof(Elf64_Phdr);
  static constexpr uint64_t kDynamicSegment = kDataSegment + sizeof(Elf64_Phdr);
  static constexpr uint64_t kDynamic = 0x200;
  static constexpr uint64_t kGnuHash = 0x400;
  static constexpr uint64_t kSysvHash = 0x500;
  static constexpr uint64_t kSymbols = 0x600;
  static constexpr uint64_t kStrings = 0x800;
  static constexpr uint64_t kData = 0x1000;
  static constexpr uint64_t kSize = 0x2000;  // unless `data_size` says more

  static constexpr uint32_t kBuckets = 2;
  static constexpr uint64_t kGnuBuckets = kGnuHash + 16 + 8;
  static constexpr uint64_t kGnuChains = kGnuBuckets + kBuckets * 4;
  static constexpr uint64_t kSysvChains = kSysvHash + 8 + kBuckets * 4;

  uint64_t base = 0x7f0000000000;  // where it is mapped
  uint64_t linked_at = 0;          // the address it was linked for
  bool gnu_hash = true;
  bool sysv_hash = true;
  bool relocated = true;  // the addresses in its dynamic section
  uint64_t data_size = kSize - kData;
  uint64_t data_in_file = 0;  // of that; the rest is zero-filled

  // Exported objects: the first at kData, each 16 bytes after another, of 8
  // bytes. Their symbols have the indices from 1 on, in the order of Sorted().
  std::vector<std::string> names = {"_PyRuntime", "Py_Version", "environ",
                                    "main"};

  static uint32_t GnuHash(std::string_view name) {
    uint32_t hash = 5381;
    for (const char c : name) hash = hash * 33 + static_cast<uint8_t>(c);
    return hash;
  }

  // The names in the order of their symbols: DT_GNU_HASH wants a bucket's
  // symbols next to one another.
  std::vector<std::string> Sorted() const {
    std::vector<std::string> sorted = names;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const std::string& a, const std::string& b) {
                       return GnuHash(a) % kBuckets < GnuHash(b) % kBuckets;
                     });
    return sorted;
  }

  uint32_t IndexOf(std::string_view name) const {
    const std::vector<std::string> sorted = Sorted();
    return 1 +
           static_cast<uint32_t>(std::find(sorted.begin(), sorted.end(), name) -
                                 sorted.begin());
  }

  // Where an object is in the process.
  uint64_t AddressOf(std::string_view name) const {
    return base + kData + 16 * (IndexOf(name) - 1);
  }

  // Where a symbol's entry is in the process.
  uint64_t EntryOf(std::string_view name) const {
    return base + kSymbols + IndexOf(name) * sizeof(Elf64_Sym);
  }

  std::string Bytes() const {
    std::string bytes(kData + data_size, '\0');
    PutHeaders(bytes);
    PutDynamic(bytes);
    PutSymbols(bytes);
    PutGnuHash(bytes);
    PutSysvHash(bytes);
    return bytes;
  }

 private:
  template <typename T>
  static void Put(std::string& bytes, uint64_t offset, const T& value) {
    std::memcpy(bytes.data() + offset, &value, sizeof(T));
  }

  void PutHeaders(std::string& bytes) const {
    Elf64_Ehdr header = {};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = linked_at == 0 ? ET_DYN : ET_EXEC;
    header.e_phoff = kProgramHeaders;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 3;
    Put(bytes, 0, header);
    const Elf64_Phdr segments[] = {
        {PT_LOAD, PF_R | PF_X, 0, linked_at, linked_at, kData, kData, 0x1000},
        {PT_LOAD, PF_R | PF_W, kData, linked_at + kData, linked_at + kData,
         data_in_file, data_size, 0x1000},
        {PT_DYNAMIC, PF_R, kDynamic, linked_at + kDynamic, linked_at + kDynamic,
         6 * sizeof(Elf64_Dyn), 6 * sizeof(Elf64_Dyn), 8},
    };
    Put(bytes, kProgramHeaders, segments);
  }

  void PutDynamic(std::string& bytes) const {
    const uint64_t start = relocated ? base : linked_at;
    std::vector<Elf64_Dyn> entries = {
        {DT_SYMTAB, {start + kSymbols}},
        {DT_STRTAB, {start + kStrings}},
        {DT_STRSZ, {kData - kStrings}},
    };
    if (gnu_hash) entries.push_back({DT_GNU_HASH, {start + kGnuHash}});
    if (sysv_hash) entries.push_back({DT_HASH, {start + kSysvHash}});
    entries.push_back({DT_NULL, {0}});
    std::memcpy(bytes.data() + kDynamic, entries.data(),
                entries.size() * sizeof(Elf64_Dyn));
  }

  void PutSymbols(std::string& bytes) const {
    uint32_t name_offset = 1;
    for (const std::string& name : Sorted()) {
      const uint32_t index = IndexOf(name);
      Put(bytes, kSymbols + index * sizeof(Elf64_Sym),
          Elf64_Sym{name_offset, ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT),
                    STV_DEFAULT, 1, AddressOf(name) - base + linked_at, 8});
      bytes.replace(kStrings + name_offset, name.size(), name);
      name_offset += static_cast<uint32_t>(name.size()) + 1;
    }
  }

  void PutGnuHash(std::string& bytes) const {
    Put(bytes, kGnuHash, std::array<uint32_t, 4>{kBuckets, 1, 1, 6});
    Put(bytes, kGnuHash + 16, ~uint64_t{0});
    const std::vector<std::string> sorted = Sorted();
    for (size_t i = 0; i < sorted.size(); ++i) {
      const uint32_t bucket = GnuHash(sorted[i]) % kBuckets;
      const bool first = i == 0 || GnuHash(sorted[i - 1]) % kBuckets != bucket;
      const bool last =
          i + 1 == sorted.size() || GnuHash(sorted[i + 1]) % kBuckets != bucket;
      if (first) {
        Put(bytes, kGnuBuckets + 4 * bucket, static_cast<uint32_t>(i + 1));
      }
      Put(bytes, kGnuChains + 4 * i,
          (GnuHash(sorted[i]) & ~uint32_t{1}) | (last ? 1 : 0));
    }
  }

  // All symbols hang in one chain, from each bucket.
  void PutSysvHash(std::string& bytes) const {
    const auto count = static_cast<uint32_t>(names.size() + 1);
    Put(bytes, kSysvHash, std::array<uint32_t, 2>{kBuckets, count});
    for (uint32_t i = 0; i < kBuckets; ++i) {
      Put(bytes, kSysvHash + 8 + 4 * i, uint32_t{1});
    }
    for (uint32_t i = 1; i + 1 < count; ++i) {
      Put(bytes, kSysvChains + 4 * i, i + 1);
    }
  }
};

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_SYNTHETIC_IMAGE_H_

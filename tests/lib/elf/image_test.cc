#include "lib/elf/image.h"

#include <dlfcn.h>
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/file.h"
#include "lib/procfs/maps.h"
#include "lib/procfs/mem.h"
#include "tests/testing/fake_memory.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/synthetic_image.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::AnyOf;

// No call may read more often than this, whatever the image holds.
constexpr int kMostReads = 16'384;

// An image in memory, looked into as Interpreter does.
class Loaded {
 public:
  explicit Loaded(const SyntheticImage& image = {})
      : image_(image), bytes_(image.Bytes()) {
    memory_.Map(image_.base, bytes_);
  }

  const SyntheticImage& image() const { return image_; }
  FakeMemory& memory() { return memory_; }

  template <typename T>
  void Put(uint64_t offset, const T& value) {
    memory_.Put(image_.base + offset, value);
  }
  void Restore(uint64_t offset, size_t size) {
    memory_.Write(image_.base + offset,
                  std::string_view(bytes_).substr(offset, size));
  }

  absl::StatusOr<Image> Read() {
    memory_.ForgetReads();
    absl::StatusOr<Image> read = Image::Read(memory_, image_.base);
    EXPECT_LE(memory_.reads(), kMostReads);
    return read;
  }

  absl::StatusOr<Symbol> Find(std::string_view name) {
    const absl::StatusOr<Image> read = Read();
    if (!read.ok()) return read.status();
    memory_.ForgetReads();
    absl::StatusOr<Symbol> symbol = read->FindSymbol(memory_, name);
    EXPECT_LE(memory_.reads(), kMostReads);
    return symbol;
  }

 private:
  SyntheticImage image_;
  std::string bytes_;
  FakeMemory memory_;
};

constexpr uint64_t kFirstSegment = SyntheticImage::kProgramHeaders;
constexpr uint64_t kSecondSegment = kFirstSegment + sizeof(Elf64_Phdr);
constexpr uint64_t kDynamicSegment = kSecondSegment + sizeof(Elf64_Phdr);

// The value of the dynamic section's entry at `index`: SYMTAB, STRTAB, STRSZ,
// then the hash tables.
constexpr uint64_t DynamicValue(int index) {
  return SyntheticImage::kDynamic + index * sizeof(Elf64_Dyn) +
         offsetof(Elf64_Dyn, d_un);
}

auto IsMalformed() { return HasCode(StatusCode::kInvalidArgument); }
auto IsNotDefined() { return HasCode(StatusCode::kFailedPrecondition); }

struct Variant {
  const char* name;
  SyntheticImage image;
};

class FindSymbol : public testing::TestWithParam<Variant> {};

TEST_P(FindSymbol, FindsEachSymbol) {
  Loaded loaded(GetParam().image);
  for (const std::string& name : loaded.image().names) {
    const absl::StatusOr<Symbol> symbol = loaded.Find(name);
    ASSERT_THAT(symbol, IsOk()) << name;
    EXPECT_EQ(symbol->address, loaded.image().AddressOf(name));
    EXPECT_EQ(symbol->size, 8u);
  }
}

TEST_P(FindSymbol, FindsNoOtherName) {
  Loaded loaded(GetParam().image);
  for (const std::string& name :
       {std::string(), std::string("_PyRuntim"), std::string("_PyRuntimes"),
        std::string("PyVersion"), std::string(63, 'x'), std::string(64, 'x'),
        std::string(100'000, 'x')}) {
    EXPECT_THAT(loaded.Find(name), IsNotDefined()) << name;
  }
}

TEST_P(FindSymbol, LeavesOutAnUndefinedSymbol) {
  Loaded loaded(GetParam().image);
  loaded.memory().Put(
      loaded.image().EntryOf("environ") + offsetof(Elf64_Sym, st_shndx),
      uint16_t{SHN_UNDEF});
  EXPECT_THAT(loaded.Find("environ"), IsNotDefined());
  EXPECT_THAT(loaded.Find("main"), IsOk());
}

TEST_P(FindSymbol, SaysThatTheProcessHasGone) {
  Loaded loaded(GetParam().image);
  const absl::StatusOr<Image> image = loaded.Read();
  ASSERT_THAT(image, IsOk());
  const int steps = [&] {
    loaded.memory().ForgetReads();
    EXPECT_THAT(image->FindSymbol(loaded.memory(), "main"), IsOk());
    return loaded.memory().reads();
  }();
  for (int step = 0; step < steps; ++step) {
    Loaded going(GetParam().image);
    going.memory().BeforeRead([&](int reads) {
      if (reads == step) going.memory().Vanish();
    });
    EXPECT_THAT(image->FindSymbol(going.memory(), "main"),
                HasCode(StatusCode::kNotFound))
        << step;
  }
}

TEST_P(FindSymbol, RefusesASymbolOutsideTheImage) {
  Loaded loaded(GetParam().image);
  const uint64_t entry = loaded.image().EntryOf("main");
  const uint64_t value = entry + offsetof(Elf64_Sym, st_value);
  const uint64_t right = loaded.memory().Get<uint64_t>(value);
  for (const uint64_t wrong :
       {right + SyntheticImage::kSize, right - SyntheticImage::kSize,
        uint64_t{1} << 63, ~uint64_t{0}}) {
    loaded.memory().Put(value, wrong);
    EXPECT_THAT(loaded.Find("main"), IsMalformed()) << wrong;
  }
  loaded.memory().Put(value, right);
  loaded.memory().Put(entry + offsetof(Elf64_Sym, st_size), ~uint64_t{0});
  EXPECT_THAT(loaded.Find("main"), IsMalformed());
}

TEST_P(FindSymbol, LeavesOutANameOutsideTheStringTable) {
  Loaded loaded(GetParam().image);
  const uint64_t name =
      loaded.image().EntryOf("main") + offsetof(Elf64_Sym, st_name);
  constexpr uint32_t kStringsSize =
      SyntheticImage::kData - SyntheticImage::kStrings;
  for (const uint32_t wrong :
       {kStringsSize - 4, kStringsSize, kStringsSize + 1, 0xffffffff}) {
    loaded.memory().Put(name, wrong);
    EXPECT_THAT(loaded.Find("main"), IsNotDefined()) << wrong;
  }
}

TEST_P(FindSymbol, FindsANameAtTheEndOfTheStringTable) {
  Loaded loaded(GetParam().image);
  loaded.memory().Put(
      loaded.image().EntryOf("main") + offsetof(Elf64_Sym, st_name),
      static_cast<uint32_t>(SyntheticImage::kData - SyntheticImage::kStrings -
                            5));
  loaded.memory().Write(loaded.image().base + SyntheticImage::kData - 5,
                        "main");
  EXPECT_THAT(loaded.Find("main"), IsOk());
}

INSTANTIATE_TEST_SUITE_P(
    Image, FindSymbol,
    testing::Values(Variant{"BothTables", {}},
                    Variant{"GnuHash", {.sysv_hash = false}},
                    Variant{"SysvHash", {.gnu_hash = false}},
                    Variant{"NotRelocated", {.relocated = false}},
                    Variant{"SysvHashNotRelocated",
                            {.gnu_hash = false, .relocated = false}},
                    Variant{"FixedAddress",
                            {.base = 0x400000, .linked_at = 0x400000}},
                    Variant{"LinkedAboveItsBase",
                            {.base = 0x10000000,
                             .linked_at = 0x7f0000000000,
                             .relocated = false}}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ImageRead, NeedsAHeader) {
  FakeMemory memory;
  EXPECT_THAT(Image::Read(memory, 0x1000), IsMalformed());
  memory.Map(0x1000, SyntheticImage().Bytes().substr(0, 63));
  EXPECT_THAT(Image::Read(memory, 0x1000), IsMalformed());
}

TEST(ImageRead, NeedsItsProgramHeaders) {
  const SyntheticImage image;
  FakeMemory memory;
  memory.Map(image.base, image.Bytes().substr(0, kDynamicSegment));
  EXPECT_THAT(Image::Read(memory, image.base), IsMalformed());
}

TEST(ImageRead, SaysThatTheProcessHasGone) {
  for (int step = 0; step < 3; ++step) {
    Loaded loaded;
    loaded.memory().BeforeRead([&](int reads) {
      if (reads == step) loaded.memory().Vanish();
    });
    EXPECT_THAT(loaded.Read(), HasCode(StatusCode::kNotFound)) << step;
  }
}

TEST(ImageRead, RefusesOtherMachines) {
  struct {
    uint64_t offset;
    uint8_t value;
  } const wrong[] = {{EI_MAG0, 0},
                     {EI_MAG3, 'f'},
                     {EI_CLASS, ELFCLASS32},
                     {EI_DATA, ELFDATA2MSB},
                     {offsetof(Elf64_Ehdr, e_type), ET_REL},
                     {offsetof(Elf64_Ehdr, e_type), ET_CORE},
                     {offsetof(Elf64_Ehdr, e_phentsize), 32}};
  for (const auto& [offset, value] : wrong) {
    Loaded loaded;
    loaded.Put(offset, value);
    EXPECT_THAT(loaded.Read(), IsMalformed()) << offset;
  }
}

TEST(ImageRead, RefusesAnImpossibleNumberOfSegments) {
  for (const uint16_t count : {0, 65, 65'535}) {
    Loaded loaded;
    loaded.Put(offsetof(Elf64_Ehdr, e_phnum), count);
    EXPECT_THAT(loaded.Read(), IsMalformed()) << count;
  }
}

TEST(ImageRead, RefusesProgramHeadersFarAway) {
  for (const uint64_t offset : {uint64_t{4097}, uint64_t{1} << 40, ~uint64_t{0},
                                ~uint64_t{0} - 0x7effffffffff}) {
    Loaded loaded;
    loaded.Put(offsetof(Elf64_Ehdr, e_phoff), offset);
    EXPECT_THAT(loaded.Read(), IsMalformed()) << offset;
  }
}

TEST(ImageRead, NeedsTheSegmentOfItsHeader) {
  Loaded loaded;
  loaded.Put(kFirstSegment, uint32_t{PT_NOTE});
  EXPECT_THAT(loaded.Read(), IsMalformed());
}

TEST(ImageRead, RefusesSegmentsOutOfBounds) {
  for (const uint64_t wrong :
       {uint64_t{1} << 40, uint64_t{1} << 63, ~uint64_t{0}}) {
    Loaded address;
    address.Put(kSecondSegment + offsetof(Elf64_Phdr, p_vaddr), wrong);
    EXPECT_THAT(address.Read(), IsMalformed()) << wrong;
    Loaded size;
    size.Put(kSecondSegment + offsetof(Elf64_Phdr, p_memsz), wrong);
    EXPECT_THAT(size.Read(), IsMalformed()) << wrong;
  }
}

TEST(ImageRead, RefusesAnImageAtTheEndOfTheAddressSpace) {
  Loaded loaded({.base = ~uint64_t{0} - 0x1fff});
  EXPECT_THAT(loaded.Read(), IsMalformed());
}

TEST(ImageRead, NeedsADynamicSection) {
  Loaded loaded;
  loaded.Put(kDynamicSegment, uint32_t{PT_NULL});
  EXPECT_THAT(loaded.Read(), IsMalformed());
}

TEST(ImageRead, RefusesADynamicSectionOutOfBounds) {
  for (const uint64_t wrong :
       {SyntheticImage::kSize - 8, SyntheticImage::kSize, uint64_t{1} << 63,
        ~uint64_t{0}, ~uint64_t{0} - SyntheticImage().base}) {
    Loaded loaded;
    loaded.Put(kDynamicSegment + offsetof(Elf64_Phdr, p_vaddr), wrong);
    EXPECT_THAT(loaded.Read(), IsMalformed()) << wrong;
  }
}

TEST(ImageRead, RefusesADynamicSectionWithoutSymbols) {
  Loaded empty;
  empty.Put(SyntheticImage::kDynamic, uint64_t{DT_NULL});
  EXPECT_THAT(empty.Read(), IsMalformed());
  Loaded none;
  none.Put(kDynamicSegment + offsetof(Elf64_Phdr, p_memsz), uint64_t{0});
  EXPECT_THAT(none.Read(), IsMalformed());
}

TEST(ImageRead, ReadsNoMoreOfAHugeDynamicSectionThanItNeeds) {
  Loaded loaded;
  loaded.Put(kDynamicSegment + offsetof(Elf64_Phdr, p_memsz), ~uint64_t{0});
  EXPECT_THAT(loaded.Read(), IsMalformed());
}

TEST(ImageRead, RefusesAStringTableOutOfBounds) {
  for (const uint64_t size : {SyntheticImage::kSize, ~uint64_t{0}}) {
    Loaded loaded;
    loaded.Put(DynamicValue(2), size);
    EXPECT_THAT(loaded.Read(), IsMalformed()) << size;
  }
}

TEST(ImageWithoutHashTables, DefinesNothing) {
  Loaded loaded({.gnu_hash = false, .sysv_hash = false});
  EXPECT_THAT(loaded.Find("main"), IsNotDefined());
}

TEST(GnuHashTable, MayHaveNoBuckets) {
  Loaded loaded;
  loaded.Put(SyntheticImage::kGnuHash, uint32_t{0});
  EXPECT_THAT(loaded.Find("main"), IsNotDefined());
}

TEST(GnuHashTable, MayHaveEmptyBuckets) {
  Loaded loaded;
  loaded.Put(SyntheticImage::kGnuBuckets, uint64_t{0});
  EXPECT_THAT(loaded.Find("main"), IsNotDefined());
}

TEST(GnuHashTable, IsRefusedWithCountsOutOfBounds) {
  Loaded buckets;
  buckets.Put(SyntheticImage::kGnuHash, uint32_t{0xffffffff});
  EXPECT_THAT(buckets.Find("main"), IsMalformed());
  Loaded bloom;
  bloom.Put(SyntheticImage::kGnuHash + 8, uint32_t{0xffffffff});
  EXPECT_THAT(bloom.Find("main"), IsMalformed());
}

TEST(GnuHashTable, IsRefusedWithABucketBeforeItsFirstSymbol) {
  Loaded loaded;
  loaded.Put(SyntheticImage::kGnuHash + 4, uint32_t{1'000});
  EXPECT_THAT(loaded.Find("main"), IsMalformed());
}

TEST(GnuHashTable, IsRefusedWithABucketOutOfBounds) {
  for (const uint32_t index : {0x10000u, 0xffffffffu}) {
    Loaded loaded;
    loaded.Put(SyntheticImage::kGnuBuckets,
               std::array<uint32_t, 2>{index, index});
    EXPECT_THAT(loaded.Find("main"), IsMalformed()) << index;
  }
}

TEST(GnuHashTable, IsRefusedWithAChainOutOfTheImage) {
  Loaded loaded;
  const uint64_t end = SyntheticImage::kSize - SyntheticImage::kGnuChains;
  const auto last = static_cast<uint32_t>(end / 4);
  loaded.Put(SyntheticImage::kGnuBuckets, std::array<uint32_t, 2>{last, last});
  EXPECT_THAT(loaded.Find("main"), IsMalformed());
}

TEST(GnuHashTable, IsLeftWhenAChainHasNoEnd) {
  Loaded loaded;
  constexpr uint64_t kZeroes = uint64_t{1} << 20;
  loaded.Put(kSecondSegment + offsetof(Elf64_Phdr, p_memsz), kZeroes);
  loaded.memory().Map(loaded.image().base + SyntheticImage::kSize,
                      std::string(kZeroes, '\0'));
  constexpr uint32_t kFirst = SyntheticImage::kSize / 4;
  loaded.Put(SyntheticImage::kGnuBuckets,
             std::array<uint32_t, 2>{kFirst, kFirst});
  EXPECT_THAT(loaded.Find("main"),
              StatusIs(StatusCode::kInvalidArgument,
                       "malformed ELF image: endless hash chain"));
}

TEST(GnuHashTable, IsRefusedOutsideTheImage) {
  Loaded loaded;
  constexpr uint64_t kElsewhere = uint64_t{1} << 30;
  loaded.memory().Map(loaded.image().base + kElsewhere,
                      std::string(4096, '\0'));
  loaded.Put(DynamicValue(3), kElsewhere);
  EXPECT_THAT(loaded.Find("main"), IsMalformed());
}

TEST(SymbolTable, IsRefusedOutOfBounds) {
  for (const uint64_t wrong : {SyntheticImage::kSize - 8, uint64_t{1} << 63,
                               ~uint64_t{0} - SyntheticImage().base}) {
    Loaded loaded;
    loaded.Put(DynamicValue(0), wrong);
    EXPECT_THAT(loaded.Find("main"), IsMalformed()) << wrong;
  }
}

class SysvHashTable : public testing::Test {
 protected:
  Loaded loaded_{{.gnu_hash = false}};
};

TEST_F(SysvHashTable, MayHaveNoBuckets) {
  loaded_.Put(SyntheticImage::kSysvHash, uint32_t{0});
  EXPECT_THAT(loaded_.Find("main"), IsNotDefined());
}

TEST_F(SysvHashTable, MayHaveEmptyBuckets) {
  loaded_.Put(SyntheticImage::kSysvHash + 8, uint64_t{0});
  EXPECT_THAT(loaded_.Find("main"), IsNotDefined());
}

TEST_F(SysvHashTable, IsRefusedWithCountsOutOfBounds) {
  loaded_.Put(SyntheticImage::kSysvHash, uint32_t{0xffffffff});
  EXPECT_THAT(loaded_.Find("main"), IsMalformed());
}

TEST_F(SysvHashTable, IsRefusedWithABucketOutOfBounds) {
  for (const uint32_t index : {0x10000u, 0xffffffffu}) {
    loaded_.Put(SyntheticImage::kSysvHash + 8,
                std::array<uint32_t, 2>{index, index});
    EXPECT_THAT(loaded_.Find("main"), IsMalformed()) << index;
  }
}

TEST_F(SysvHashTable, IsLeftWhenAChainHasNoEnd) {
  loaded_.Put(SyntheticImage::kSysvChains + 4, uint32_t{1});
  EXPECT_THAT(loaded_.Find("nothing"),
              StatusIs(StatusCode::kInvalidArgument,
                       "malformed ELF image: endless hash chain"));
}

TEST_F(SysvHashTable, IsRefusedOutsideTheImage) {
  constexpr uint64_t kElsewhere = uint64_t{1} << 30;
  loaded_.memory().Map(loaded_.image().base + kElsewhere,
                       std::string(4096, '\0'));
  loaded_.Put(DynamicValue(3), kElsewhere);
  EXPECT_THAT(loaded_.Find("main"), IsMalformed());
}

class MutatedImage : public testing::TestWithParam<Variant> {};

TEST_P(MutatedImage, IsReadWithinBounds) {
  Loaded loaded(GetParam().image);
  std::mt19937 random(20'261'123);  // NOLINT(cert-msc51-cpp)
  // The hash tables, the symbols and their names end before this.
  std::uniform_int_distribution<uint64_t> offset(
      0, SyntheticImage::kStrings + 0x40);
  std::uniform_int_distribution<int> byte(0, 255);
  std::uniform_int_distribution<int> count(1, 8);
  for (int round = 0; round < 50'000; ++round) {
    std::array<uint64_t, 8> changed;
    const int changes = count(random);
    for (int i = 0; i < changes; ++i) {
      changed[i] = offset(random);
      loaded.Put(changed[i], static_cast<uint8_t>(byte(random)));
    }
    for (const char* name : {"_PyRuntime", "nothing"}) {
      const absl::StatusOr<Symbol> symbol = loaded.Find(name);
      ASSERT_THAT(symbol, AnyOf(IsOk(), IsMalformed(), IsNotDefined()));
      if (symbol.ok()) {
        ASSERT_GE(symbol->address, loaded.image().base);
        ASSERT_GE(symbol->address + symbol->size, symbol->address);
      }
    }
    for (int i = 0; i < changes; ++i) loaded.Restore(changed[i], 1);
  }
  EXPECT_THAT(loaded.Find("_PyRuntime"), IsOk());
}

INSTANTIATE_TEST_SUITE_P(
    Image, MutatedImage,
    testing::Values(Variant{"GnuHash", {.sysv_hash = false}},
                    Variant{"SysvHash", {.gnu_hash = false}},
                    Variant{"GnuHashNotRelocated",
                            {.sysv_hash = false, .relocated = false}},
                    Variant{"SysvHashNotRelocated",
                            {.gnu_hash = false, .relocated = false}}),
    [](const auto& info) { return std::string(info.param.name); });

class OwnProcess : public testing::Test {
 protected:
  OwnProcess()
      : memory_(*OpenFile("/proc/self/mem")),
        images_(*ReadMappedImages(OpenFile("/proc/self/maps")->get())) {}

  // The addresses at which the process's images define a symbol.
  std::vector<uint64_t> Find(std::string_view name) {
    std::vector<uint64_t> addresses;
    for (const MappedImage& mapped : images_) {
      const absl::StatusOr<Image> image = Image::Read(memory_, mapped.base);
      if (!image.ok()) continue;
      const absl::StatusOr<Symbol> symbol = image->FindSymbol(memory_, name);
      if (symbol.ok()) addresses.push_back(symbol->address);
    }
    return addresses;
  }

  ProcessMemory memory_;
  std::vector<MappedImage> images_;
};

TEST_F(OwnProcess, HoldsImagesThatCanAllBeRead) {
  EXPECT_GE(images_.size(), 3u);
  for (const MappedImage& image : images_) {
    EXPECT_THAT(Image::Read(memory_, image.base), IsOk()) << image.path;
  }
}

TEST_F(OwnProcess, DefinesWhatTheLoaderFinds) {
  for (const char* name : {"environ", "stderr", "getpid"}) {
    EXPECT_THAT(Find(name), testing::Contains(reinterpret_cast<uint64_t>(
                                dlsym(RTLD_DEFAULT, name))))
        << name;
  }
}

TEST_F(OwnProcess, DefinesNothingThatTheLoaderDoesNotFind) {
  EXPECT_THAT(Find("no_such_symbol_anywhere"), testing::IsEmpty());
}

}  // namespace
}  // namespace pycheck

#include "lib/elf/symbols.h"

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
#include "lib/elf/image.h"
#include "lib/procfs/maps.h"
#include "lib/procfs/mem.h"
#include "tests/testing/fake_memory.h"
#include "tests/testing/loaded_image.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/synthetic_image.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::AnyOf;

// Outside the image, counted from its base.
constexpr uint64_t kElsewhere = uint64_t{1} << 30;

// Nothing is in the image from here up to its names.
constexpr uint64_t kZeros = 0x700;

// No call may read more often than this, whatever the image holds.
constexpr int kMostReads = 1'024;

constexpr uint64_t kDataSegment = SyntheticImage::kDataSegment;
constexpr uint64_t kDynamicSegment = SyntheticImage::kDynamicSegment;

// The value of the dynamic section's entry at `index`: SYMTAB, STRTAB, STRSZ,
// then the hash tables.
constexpr uint64_t DynamicValue(int index) {
  return SyntheticImage::kDynamic + index * sizeof(Elf64_Dyn) +
         offsetof(Elf64_Dyn, d_un);
}

auto IsMalformed() { return HasCode(StatusCode::kInvalidArgument); }
auto IsNotDefined() { return HasCode(StatusCode::kFailedPrecondition); }

absl::StatusOr<Symbol> FindIn(const Memory& memory, const Image& image,
                              std::string_view name) {
  const absl::StatusOr<ExportedSymbols> symbols =
      ExportedSymbols::Read(memory, image);
  if (!symbols.ok()) return symbols.status();
  return symbols->Find(memory, name);
}

// An image in memory, looked into as Interpreter does.
class Loaded : public LoadedImage {
 public:
  using LoadedImage::LoadedImage;

  // Maps what is in the image once more, where nothing of it may be.
  void CopyElsewhere() {
    memory().Map(image().base + kElsewhere, image().Bytes());
  }

  absl::StatusOr<ExportedSymbols> ReadSymbols() {
    const absl::StatusOr<Image> image = Read();
    if (!image.ok()) return image.status();
    return ExportedSymbols::Read(memory(), *image);
  }

  absl::StatusOr<Symbol> Find(std::string_view name) {
    const absl::StatusOr<Image> image = Read();
    if (!image.ok()) return image.status();
    memory().ForgetReads();
    absl::StatusOr<Symbol> symbol = FindIn(memory(), *image, name);
    EXPECT_LE(memory().reads(), kMostReads);
    return symbol;
  }
};

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

TEST_P(FindSymbol, FindsNoNameOf64CharactersOrMore) {
  SyntheticImage image = GetParam().image;
  image.names = {std::string(63, 'x'), std::string(64, 'x')};
  Loaded loaded(image);
  EXPECT_THAT(loaded.Find(image.names[0]), IsOk());
  EXPECT_THAT(loaded.Find(image.names[1]), IsNotDefined());
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
    EXPECT_THAT(FindIn(loaded.memory(), *image, "main"), IsOk());
    return loaded.memory().reads();
  }();
  for (int step = 0; step < steps; ++step) {
    Loaded going(GetParam().image);
    going.memory().BeforeRead([&](int reads) {
      if (reads == step) going.memory().Vanish();
    });
    EXPECT_THAT(FindIn(going.memory(), *image, "main"),
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
  // Its last byte is past the end.
  loaded.memory().Write(loaded.image().base + SyntheticImage::kData - 4,
                        std::string_view("main", 5));
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
    ExportedSymbols, FindSymbol,
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

TEST(ExportedSymbolsRead, TakesOneRead) {
  Loaded loaded;
  const absl::StatusOr<Image> image = loaded.Read();
  ASSERT_THAT(image, IsOk());
  loaded.memory().ForgetReads();
  EXPECT_THAT(ExportedSymbols::Read(loaded.memory(), *image), IsOk());
  EXPECT_EQ(loaded.memory().reads(), 1);
}

TEST(ExportedSymbolsRead, SaysThatTheProcessHasGone) {
  Loaded loaded;
  const absl::StatusOr<Image> image = loaded.Read();
  ASSERT_THAT(image, IsOk());
  loaded.memory().Vanish();
  EXPECT_THAT(ExportedSymbols::Read(loaded.memory(), *image),
              HasCode(StatusCode::kNotFound));
}

TEST(ExportedSymbolsRead, NeedsADynamicSection) {
  Loaded loaded;
  loaded.Put(kDynamicSegment, uint32_t{PT_NULL});
  EXPECT_THAT(loaded.ReadSymbols(), IsMalformed());
}

TEST(ExportedSymbolsRead, RefusesADynamicSectionOutOfBounds) {
  for (const uint64_t wrong : {SyntheticImage::kSize - 8, SyntheticImage::kSize,
                               kElsewhere, uint64_t{1} << 63, ~uint64_t{0},
                               ~uint64_t{0} - SyntheticImage().base}) {
    Loaded loaded;
    loaded.CopyElsewhere();
    loaded.Put(kDynamicSegment + offsetof(Elf64_Phdr, p_vaddr),
               wrong == kElsewhere ? wrong + SyntheticImage::kDynamic : wrong);
    EXPECT_THAT(loaded.ReadSymbols(), IsMalformed()) << wrong;
  }
}

TEST(ExportedSymbolsRead, RefusesADynamicSectionThatIsNotMapped) {
  const Loaded loaded;
  const absl::StatusOr<Image> image = loaded.Read();
  ASSERT_THAT(image, IsOk());
  EXPECT_THAT(ExportedSymbols::Read(FakeMemory(), *image), IsMalformed());
}

TEST(ExportedSymbolsRead, RefusesADynamicSectionWithoutSymbols) {
  Loaded empty;
  empty.Put(SyntheticImage::kDynamic, uint64_t{DT_NULL});
  EXPECT_THAT(empty.ReadSymbols(), IsMalformed());
  Loaded none;
  none.Put(kDynamicSegment + offsetof(Elf64_Phdr, p_memsz), uint64_t{0});
  EXPECT_THAT(none.ReadSymbols(), IsMalformed());
}

TEST(ExportedSymbolsRead, NeedsSymbolsAndTheirNames) {
  for (const int index : {0, 1}) {
    Loaded loaded;
    loaded.Put(SyntheticImage::kDynamic + index * sizeof(Elf64_Dyn),
               uint64_t{DT_DEBUG});
    EXPECT_THAT(loaded.ReadSymbols(), IsMalformed()) << index;
  }
}

TEST(ExportedSymbolsRead, ReadsNoMoreOfAHugeDynamicSectionThanItNeeds) {
  Loaded large({.data_size = 0x4000});
  large.Put(kDynamicSegment + offsetof(Elf64_Phdr, p_memsz), ~uint64_t{0});
  EXPECT_THAT(large.ReadSymbols(), IsOk());
  Loaded small;
  small.Put(kDynamicSegment + offsetof(Elf64_Phdr, p_memsz), ~uint64_t{0});
  EXPECT_THAT(small.ReadSymbols(), IsMalformed());
}

TEST(ExportedSymbolsRead, LeavesOutWhatStandsBehindTheDynamicSectionsEnd) {
  Loaded loaded({.gnu_hash = false, .sysv_hash = false});
  constexpr uint64_t kEnd = SyntheticImage::kDynamic + 3 * sizeof(Elf64_Dyn);
  loaded.Put(kEnd + sizeof(Elf64_Dyn), Elf64_Dyn{DT_STRTAB, {~uint64_t{0}}});
  EXPECT_THAT(loaded.ReadSymbols(), IsOk());
}

TEST(ExportedSymbolsRead, RefusesAStringTableOutOfBounds) {
  for (const uint64_t size : {SyntheticImage::kSize, ~uint64_t{0}}) {
    Loaded loaded;
    loaded.Put(DynamicValue(2), size);
    EXPECT_THAT(loaded.ReadSymbols(), IsMalformed()) << size;
  }
}

TEST(ExportedSymbolsWithoutHashTables, DefinesNothing) {
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
  for (const uint32_t words :
       {uint32_t{(kElsewhere + kZeros) / sizeof(uint64_t)},
        uint32_t{0xffffffff}}) {
    Loaded bloom;
    bloom.CopyElsewhere();
    bloom.Put(SyntheticImage::kGnuHash + 8, words);
    EXPECT_THAT(bloom.Find("main"), IsMalformed());
  }
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
  loaded.Put(kDataSegment + offsetof(Elf64_Phdr, p_memsz), kZeroes);
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
  loaded.CopyElsewhere();
  for (const uint64_t offset : {SyntheticImage::kGnuHash, kZeros}) {
    loaded.Put(DynamicValue(3), kElsewhere + offset);
    EXPECT_THAT(loaded.Find("main"), IsMalformed());
  }
}

TEST(SymbolTable, IsRefusedOutOfBounds) {
  for (const uint64_t wrong :
       {kElsewhere + SyntheticImage::kSymbols, SyntheticImage::kSize - 8,
        uint64_t{1} << 63, ~uint64_t{0} - SyntheticImage().base}) {
    Loaded loaded;
    loaded.CopyElsewhere();
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
  loaded_.CopyElsewhere();
  for (const uint64_t offset : {SyntheticImage::kSysvHash, kZeros}) {
    loaded_.Put(DynamicValue(3), kElsewhere + offset);
    EXPECT_THAT(loaded_.Find("main"), IsMalformed());
  }
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
    ExportedSymbols, MutatedImage,
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
      const absl::StatusOr<Symbol> symbol = FindIn(memory_, *image, name);
      if (symbol.ok()) addresses.push_back(symbol->address);
    }
    return addresses;
  }

  ProcessMemory memory_;
  std::vector<MappedImage> images_;
};

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

#include "lib/elf/image.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/auxv.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "absl/strings/match.h"
#include "lib/base/file.h"
#include "lib/procfs/maps.h"
#include "lib/procfs/mem.h"
#include "tests/testing/fake_memory.h"
#include "tests/testing/loaded_image.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/synthetic_image.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::AnyOf;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

constexpr uint64_t kPage = 4096;
constexpr uint64_t kFirstSegment = SyntheticImage::kFirstSegment;
constexpr uint64_t kDataSegment = SyntheticImage::kDataSegment;
constexpr uint64_t kDynamicSegment = SyntheticImage::kDynamicSegment;
constexpr uint64_t kFourthSegment = kDynamicSegment + sizeof(Elf64_Phdr);

auto IsMalformed() { return HasCode(StatusCode::kInvalidArgument); }

auto IsData(uint64_t begin, uint64_t zeros, uint64_t end) {
  return AllOf(Field("begin", &DataSegment::begin, begin),
               Field("zeros", &DataSegment::zeros, zeros),
               Field("end", &DataSegment::end, end));
}

TEST(ImageRead, TakesOneRead) {
  LoadedImage loaded;
  EXPECT_THAT(loaded.Read(), IsOk());
  EXPECT_EQ(loaded.memory().reads(), 1);
}

TEST(ImageRead, NeedsItsFirstPage) {
  const SyntheticImage image;
  FakeMemory memory;
  memory.Map(image.base, image.Bytes().substr(0, kPage));
  EXPECT_THAT(Image::Read(memory, image.base), IsOk());
  EXPECT_THAT(Image::Read(memory, 0x1000), IsMalformed());
  memory.Map(0x1000, image.Bytes().substr(0, kPage - 1));
  EXPECT_THAT(Image::Read(memory, 0x1000), IsMalformed());
}

TEST(ImageRead, SaysThatTheProcessHasGone) {
  LoadedImage loaded;
  loaded.memory().Vanish();
  EXPECT_THAT(loaded.Read(), HasCode(StatusCode::kNotFound));
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
    LoadedImage loaded;
    loaded.Put(offset, value);
    EXPECT_THAT(loaded.Read(), IsMalformed()) << offset;
  }
}

TEST(ImageRead, RefusesAnImpossibleNumberOfSegments) {
  for (const uint16_t count : {0, 65, 65'535}) {
    LoadedImage loaded;
    loaded.Put(offsetof(Elf64_Ehdr, e_phnum), count);
    EXPECT_THAT(loaded.Read(), IsMalformed()) << count;
  }
}

TEST(ImageRead, TakesTheGreatestNumberOfSegments) {
  LoadedImage loaded;
  constexpr uint16_t kMost = 64;
  loaded.Put(offsetof(Elf64_Ehdr, e_phnum), kMost);
  loaded.memory().Write(loaded.image().base + kFourthSegment,
                        std::string((kMost - 3) * sizeof(Elf64_Phdr), '\0'));
  EXPECT_THAT(loaded.Read(), IsOk());
}

TEST(ImageRead, RefusesProgramHeadersFarAway) {
  for (const uint64_t offset :
       {kPage + 1, uint64_t{1} << 40, ~uint64_t{0}, -3 * sizeof(Elf64_Phdr),
        ~uint64_t{0} - 0x7effffffffff}) {
    LoadedImage loaded;
    loaded.Put(offsetof(Elf64_Ehdr, e_phoff), offset);
    EXPECT_THAT(loaded.Read(), IsMalformed()) << offset;
  }
}

TEST(ImageRead, TakesProgramHeadersUpToTheEndOfTheFirstPage) {
  constexpr uint64_t kSize = 3 * sizeof(Elf64_Phdr);
  const std::string segments =
      SyntheticImage().Bytes().substr(kFirstSegment, kSize);
  for (const uint64_t past_the_end : {0, 1}) {
    LoadedImage loaded;
    const uint64_t offset = kPage - kSize + past_the_end;
    loaded.memory().Write(loaded.image().base + offset, segments);
    loaded.Put(offsetof(Elf64_Ehdr, e_phoff), offset);
    EXPECT_EQ(loaded.Read().ok(), past_the_end == 0);
  }
}

TEST(ImageRead, NeedsTheSegmentOfItsHeader) {
  LoadedImage other_type;
  other_type.Put(kFirstSegment, uint32_t{PT_NOTE});
  EXPECT_THAT(other_type.Read(), IsMalformed());
  LoadedImage other_part;
  other_part.Put(kFirstSegment + offsetof(Elf64_Phdr, p_offset), kPage);
  EXPECT_THAT(other_part.Read(), IsMalformed());
}

TEST(ImageRead, RefusesSegmentsOutOfBounds) {
  for (const uint64_t wrong :
       {uint64_t{1} << 40, uint64_t{1} << 63, ~uint64_t{0}}) {
    LoadedImage address;
    address.Put(kDataSegment + offsetof(Elf64_Phdr, p_vaddr), wrong);
    EXPECT_THAT(address.Read(), IsMalformed()) << wrong;
    LoadedImage size;
    size.Put(kDataSegment + offsetof(Elf64_Phdr, p_memsz), wrong);
    EXPECT_THAT(size.Read(), IsMalformed()) << wrong;
  }
}

TEST(ImageRead, RefusesASegmentBeforeTheFirst) {
  LoadedImage loaded({.base = 0x400000, .linked_at = 0x400000});
  loaded.Put(kDataSegment + offsetof(Elf64_Phdr, p_vaddr),
             uint64_t{0x400000 - kPage});
  EXPECT_THAT(loaded.Read(), IsMalformed());
}

TEST(ImageRead, RefusesASegmentThatIsLargerInTheFileThanInMemory) {
  constexpr uint64_t kSize = SyntheticImage::kSize - SyntheticImage::kData;
  for (const uint64_t in_file : {kSize, kSize + 1, ~uint64_t{0}}) {
    const LoadedImage loaded({.data_in_file = in_file});
    EXPECT_EQ(loaded.Read().ok(), in_file == kSize) << in_file;
  }
}

TEST(ImageRead, RefusesAnImageAtTheEndOfTheAddressSpace) {
  const LoadedImage loaded({.base = ~uint64_t{0} - 0x1fff});
  EXPECT_THAT(loaded.Read(), IsMalformed());
}

TEST(ImageDynamic, IsWhereTheProgramHeaderSays) {
  for (const SyntheticImage& image :
       {SyntheticImage{}, {.base = 0x400000, .linked_at = 0x400000}}) {
    const absl::StatusOr<Image> read = LoadedImage(image).Read();
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(read->dynamic(), image.base + SyntheticImage::kDynamic);
    EXPECT_EQ(read->dynamic_size(), 6 * sizeof(Elf64_Dyn));
  }
}

TEST(ImageDynamic, MayBeMissing) {
  LoadedImage loaded;
  loaded.Put(kDynamicSegment, uint32_t{PT_NULL});
  const absl::StatusOr<Image> image = loaded.Read();
  ASSERT_THAT(image, IsOk());
  EXPECT_EQ(image->dynamic_size(), 0u);
}

TEST(ImageLoadBias, IsFromWhereItWasLinkedToWhereItIs) {
  struct {
    SyntheticImage image;
    uint64_t bias;
  } const images[] = {
      {{.base = 0x7f0000000000}, 0x7f0000000000},
      {{.base = 0x400000, .linked_at = 0x400000}, 0},
      {{.base = 0x600000, .linked_at = 0x400000}, 0x200000},
      {{.base = 0x400000, .linked_at = 0x600000}, -uint64_t{0x200000}},
  };
  for (const auto& [image, bias] : images) {
    const absl::StatusOr<Image> read = LoadedImage(image).Read();
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(read->load_bias(), bias);
    EXPECT_EQ(read->base(), image.base);
  }
}

TEST(ImageData, IsFirstWhatTheFileGivesAndThenZeros) {
  for (const uint64_t linked_at : {0, 0x400000}) {
    const SyntheticImage image{.linked_at = linked_at, .data_in_file = 0x300};
    const absl::StatusOr<Image> read = LoadedImage(image).Read();
    ASSERT_THAT(read, IsOk());
    const uint64_t begin = image.base + SyntheticImage::kData;
    EXPECT_THAT(read->data(),
                ElementsAre(IsData(begin, begin + 0x300, begin + 0x1000)));
  }
}

TEST(ImageData, IsEachWritableSegment) {
  LoadedImage loaded;
  const uint64_t begin = loaded.image().base + SyntheticImage::kSize;
  loaded.Put(offsetof(Elf64_Ehdr, e_phnum), uint16_t{4});
  loaded.Put(kFourthSegment,
             Elf64_Phdr{PT_LOAD, PF_R | PF_W, 0, SyntheticImage::kSize,
                        SyntheticImage::kSize, 8, 16, 8});
  const absl::StatusOr<Image> image = loaded.Read();
  ASSERT_THAT(image, IsOk());
  EXPECT_THAT(image->data(),
              ElementsAre(testing::_, IsData(begin, begin + 8, begin + 16)));
}

TEST(ImageData, IsNoSegmentThatCannotBeWrittenTo) {
  LoadedImage loaded;
  loaded.Put(kDataSegment + offsetof(Elf64_Phdr, p_flags),
             uint32_t{PF_R | PF_X});
  const absl::StatusOr<Image> image = loaded.Read();
  ASSERT_THAT(image, IsOk());
  EXPECT_THAT(image->data(), IsEmpty());
}

TEST(ImageData, IsNothingThatIsNotLoaded) {
  LoadedImage loaded;
  loaded.Put(kDynamicSegment + offsetof(Elf64_Phdr, p_flags),
             uint32_t{PF_R | PF_W});
  const absl::StatusOr<Image> image = loaded.Read();
  ASSERT_THAT(image, IsOk());
  EXPECT_THAT(image->data(), testing::SizeIs(1));
}

TEST(ImageContains, WhatLiesBetweenItsEnds) {
  const absl::StatusOr<Image> image = LoadedImage().Read();
  ASSERT_THAT(image, IsOk());
  const uint64_t base = SyntheticImage().base;
  constexpr uint64_t kSize = SyntheticImage::kSize;
  EXPECT_TRUE(image->Contains(base, kSize));
  EXPECT_TRUE(image->Contains(base + kSize - 8, 8));
  EXPECT_TRUE(image->Contains(base + kSize, 0));
  EXPECT_FALSE(image->Contains(base - 1, 1));
  EXPECT_FALSE(image->Contains(base, kSize + 1));
  EXPECT_FALSE(image->Contains(base + kSize - 7, 8));
  EXPECT_FALSE(image->Contains(base + kSize + 1, 0));
  EXPECT_FALSE(image->Contains(base + 8, ~uint64_t{0}));
}

TEST(ImageIsProgram, WhenItIsLinkedForAnAddress) {
  EXPECT_TRUE(LoadedImage({.linked_at = 0x400000}).Read()->is_program());
  EXPECT_FALSE(LoadedImage().Read()->is_program());
}

TEST(ImageIsProgram, WhenItNamesAnInterpreter) {
  LoadedImage loaded;
  loaded.Put(kDynamicSegment, uint32_t{PT_INTERP});
  EXPECT_TRUE(loaded.Read()->is_program());
}

TEST(ImageFingerprint, IsTheSameWhereverItIsMapped) {
  EXPECT_EQ(LoadedImage({.base = 0x10000000, .relocated = false})
                .Read()
                ->fingerprint(),
            LoadedImage({.base = 0x20000000, .relocated = false})
                .Read()
                ->fingerprint());
}

TEST(ImageFingerprint, ComesFromTheWholeFirstPage) {
  const uint64_t original = LoadedImage().Read()->fingerprint();
  for (const uint64_t offset : {uint64_t{EI_PAD}, kPage - 1}) {
    LoadedImage other;
    other.Put(offset, uint8_t{1});
    EXPECT_NE(other.Read()->fingerprint(), original) << offset;
  }
}

TEST(ImageFingerprint, IsTheSameWhateverAProcessWrites) {
  LoadedImage other;
  other.Put(kPage, uint8_t{1});
  EXPECT_EQ(other.Read()->fingerprint(), LoadedImage().Read()->fingerprint());
}

TEST(ImageWithMutatedHeaders, IsReadWithinBounds) {
  LoadedImage loaded;
  const uint64_t base = loaded.image().base;
  std::mt19937 random(20'261'123);  // NOLINT(cert-msc51-cpp)
  std::uniform_int_distribution<uint64_t> offset(0, kFourthSegment);
  std::uniform_int_distribution<int> byte(0, 255);
  std::uniform_int_distribution<int> count(1, 4);
  int read = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::array<uint64_t, 4> changed;
    const int changes = count(random);
    for (int i = 0; i < changes; ++i) {
      changed[i] = offset(random);
      loaded.Put(changed[i], static_cast<uint8_t>(byte(random)));
    }
    const absl::StatusOr<Image> image = loaded.Read();
    ASSERT_THAT(image, AnyOf(IsOk(), IsMalformed()));
    if (image.ok()) {
      ++read;
      for (const DataSegment& data : image->data()) {
        ASSERT_GE(data.begin, base);
        ASSERT_LE(data.begin, data.zeros);
        ASSERT_LE(data.zeros, data.end);
        ASSERT_TRUE(image->Contains(data.begin, data.end - data.begin));
      }
    }
    for (int i = 0; i < changes; ++i) loaded.Restore(changed[i], 1);
  }
  EXPECT_GT(read, 1'000) << "hardly any of them was read at all";
}

int initialized_variable = 1;
int zero_variable;

class OwnImages : public testing::Test {
 protected:
  OwnImages()
      : memory_(*OpenFile("/proc/self/mem")),
        mapped_(*ReadMappedImages(OpenFile("/proc/self/maps")->get())) {}

  absl::StatusOr<Image> Executable() const {
    return Image::Read(memory_, getauxval(AT_PHDR) - sizeof(Elf64_Ehdr));
  }

  ProcessMemory memory_;
  std::vector<MappedImage> mapped_;
};

TEST_F(OwnImages, CanAllBeRead) {
  EXPECT_GE(mapped_.size(), 3u);
  for (const MappedImage& mapped : mapped_) {
    EXPECT_THAT(Image::Read(memory_, mapped.base), IsOk()) << mapped.path;
  }
}

TEST_F(OwnImages, AreProgramsOrLibraries) {
  EXPECT_TRUE(Executable()->is_program());
  for (const MappedImage& mapped : mapped_) {
    if (!absl::StrContains(mapped.path, "libstdc++")) continue;
    EXPECT_FALSE(Image::Read(memory_, mapped.base)->is_program());
    return;
  }
  GTEST_SKIP() << "libstdc++ is linked into the test";
}

TEST_F(OwnImages, HaveTheirVariablesInTheirData) {
  const absl::StatusOr<Image> image = Executable();
  ASSERT_THAT(image, IsOk());
  const auto initialized = reinterpret_cast<uint64_t>(&initialized_variable);
  const auto zero = reinterpret_cast<uint64_t>(&zero_variable);
  EXPECT_THAT(image->data(),
              testing::Contains(AllOf(
                  Field("begin", &DataSegment::begin, testing::Le(initialized)),
                  Field("zeros", &DataSegment::zeros, testing::Gt(initialized)),
                  Field("zeros", &DataSegment::zeros, testing::Le(zero)),
                  Field("end", &DataSegment::end, testing::Gt(zero)))));
}

}  // namespace
}  // namespace pycheck

#include "lib/cpython/binary.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/testing/loaded_image.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/synthetic_image.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::Field;
using testing::Optional;
using testing::Pointee;

constexpr uint64_t kHex = 0x030b02f0;

LoadedImage WithSymbols(const std::vector<std::string>& names) {
  return LoadedImage({.names = names});
}

absl::StatusOr<Binary> LookInto(const LoadedImage& loaded) {
  return LookInto(loaded.memory(), *loaded.Read());
}

uint64_t OffsetOf(const LoadedImage& loaded, const std::string& name) {
  return loaded.image().AddressOf(name) - loaded.image().base;
}

TEST(LookInto, KnowsA311ByItsRuntimeAndItsVersion) {
  LoadedImage loaded =
      WithSymbols({"_PyRuntime", "Py_Version", "Py_InitializeEx"});
  loaded.Put(OffsetOf(loaded, "Py_Version"), kHex);
  loaded.memory().Put(
      loaded.image().EntryOf("_PyRuntime") + offsetof(Elf64_Sym, st_size),
      uint64_t{0x321});
  const absl::StatusOr<Binary> binary = LookInto(loaded);
  ASSERT_THAT(binary, IsOk());
  EXPECT_EQ(binary->implementation, Implementation::kCPython);
  ASSERT_TRUE(binary->runtime.has_value());
  EXPECT_EQ(binary->runtime->offset, OffsetOf(loaded, "_PyRuntime"));
  EXPECT_EQ(binary->runtime->size, 0x321u);
  EXPECT_THAT(binary->version_hex, Optional(kHex));
  EXPECT_FALSE(binary->before37.has_value());
  EXPECT_FALSE(binary->location.has_value());
}

TEST(LookInto, KnowsA37ByItsRuntimeAlone) {
  const LoadedImage loaded = WithSymbols({"main", "_PyRuntime"});
  const absl::StatusOr<Binary> binary = LookInto(loaded);
  ASSERT_THAT(binary, IsOk());
  EXPECT_EQ(binary->implementation, Implementation::kCPython);
  EXPECT_TRUE(binary->runtime.has_value());
  EXPECT_FALSE(binary->version_hex.has_value());
}

TEST(LookInto, KnowsWhatCameBeforeByTwoVariables) {
  const LoadedImage loaded =
      WithSymbols({"main", "Py_InitializeEx", "_PyGC_generation0",
                   "_PyThreadState_Current"});
  const absl::StatusOr<Binary> binary = LookInto(loaded);
  ASSERT_THAT(binary, IsOk());
  EXPECT_EQ(binary->implementation, Implementation::kCPython);
  EXPECT_FALSE(binary->runtime.has_value());
  ASSERT_TRUE(binary->before37.has_value());
  EXPECT_EQ(binary->before37->generation0,
            OffsetOf(loaded, "_PyGC_generation0"));
  EXPECT_EQ(binary->before37->current_thread,
            OffsetOf(loaded, "_PyThreadState_Current"));
}

TEST(LookInto, NeedsBothVariables) {
  for (const char* name : {"_PyGC_generation0", "_PyThreadState_Current"}) {
    const auto binary = LookInto(WithSymbols({"Py_InitializeEx", name}));
    ASSERT_THAT(binary, IsOk());
    EXPECT_EQ(binary->implementation, Implementation::kCPython);
    EXPECT_FALSE(binary->before37.has_value());
  }
}

TEST(LookInto, KnowsAPyPyThatDefinesWhatCPythonDoes) {
  const auto binary =
      LookInto(WithSymbols({"pypy_execute_source", "Py_InitializeEx"}));
  ASSERT_THAT(binary, IsOk());
  EXPECT_EQ(binary->implementation, Implementation::kPyPy);
}

TEST(LookInto, KnowsThatAnImageHoldsNoPython) {
  const auto binary =
      LookInto(WithSymbols({"main", "Py_Version", "_PyGC_generation0"}));
  ASSERT_THAT(binary, IsOk());
  EXPECT_EQ(binary->implementation, Implementation::kNone);
}

TEST(LookInto, NeedsAVersionThatCanBeRead) {
  SyntheticImage image{.names = {"_PyRuntime", "Py_Version"}};
  FakeMemory memory;
  memory.Map(image.base, image.Bytes().substr(0, SyntheticImage::kData));
  EXPECT_THAT(LookInto(memory, *Image::Read(memory, image.base)),
              HasCode(absl::StatusCode::kInvalidArgument));
}

TEST(LookInto, SaysThatTheProcessHasGoneBeforeItsSymbolsAndItsVersionAreRead) {
  LoadedImage loaded = WithSymbols({"_PyRuntime", "Py_Version"});
  const absl::StatusOr<Image> image = loaded.Read();
  ASSERT_THAT(image, IsOk());
  loaded.memory().ForgetReads();
  ASSERT_THAT(LookInto(loaded.memory(), *image), IsOk());
  const int last = loaded.memory().reads() - 1;
  for (const int step : {0, last}) {
    LoadedImage going = loaded;
    going.memory().ForgetReads();
    going.memory().BeforeRead([&](int reads) {
      if (reads == step) going.memory().Vanish();
    });
    EXPECT_THAT(LookInto(going.memory(), *image),
                HasCode(StatusCode::kNotFound))
        << step;
  }
}

TEST(LookInto, RefusesAnImageWithoutSymbols) {
  LoadedImage loaded;
  loaded.Put(SyntheticImage::kDynamicSegment, uint32_t{PT_NULL});
  EXPECT_THAT(LookInto(loaded), HasCode(StatusCode::kInvalidArgument));
}

TEST(LookInto, RefusesAnImageWhoseTablesContradictThemselves) {
  LoadedImage loaded;
  loaded.Put(SyntheticImage::kGnuHash, uint32_t{0xffffffff});
  EXPECT_THAT(LookInto(loaded), HasCode(StatusCode::kInvalidArgument));
}

// An image of which nothing is read but its headers.
Image WithFingerprint(uint8_t seed) {
  LoadedImage loaded;
  loaded.Put(EI_PAD, seed);
  return *loaded.Read();
}

MappedImage File(const std::string& device, uint64_t inode) {
  return {
      .base = 0, .path = "/lib/python.so", .device = device, .inode = inode};
}

Binary Named(const std::string& version) {
  Binary binary;
  binary.version = version;
  return binary;
}

auto IsNamed(const std::string& version) {
  return Pointee(Field("version", &Binary::version, version));
}

TEST(Binaries, GiveWhatWasAdded) {
  Binaries binaries;
  EXPECT_EQ(binaries.Find(File("08:01", 1), WithFingerprint(0)), nullptr);
  binaries.Add(File("08:01", 1), WithFingerprint(0), Named("a"));
  EXPECT_THAT(binaries.Find(File("08:01", 1), WithFingerprint(0)),
              IsNamed("a"));
}

TEST(Binaries, AreToldApartByDeviceInodeAndFingerprint) {
  Binaries binaries;
  binaries.Add(File("08:01", 1), WithFingerprint(0), Named("a"));
  EXPECT_EQ(binaries.Find(File("08:02", 1), WithFingerprint(0)), nullptr);
  EXPECT_EQ(binaries.Find(File("08:01", 2), WithFingerprint(0)), nullptr);
  EXPECT_EQ(binaries.Find(File("08:01", 1), WithFingerprint(1)), nullptr);
  binaries.Add(File("08:02", 1), WithFingerprint(0), Named("b"));
  binaries.Add(File("08:01", 2), WithFingerprint(0), Named("c"));
  binaries.Add(File("08:01", 1), WithFingerprint(1), Named("d"));
  EXPECT_THAT(binaries.Find(File("08:01", 1), WithFingerprint(0)),
              IsNamed("a"));
  EXPECT_THAT(binaries.Find(File("08:02", 1), WithFingerprint(0)),
              IsNamed("b"));
  EXPECT_THAT(binaries.Find(File("08:01", 2), WithFingerprint(0)),
              IsNamed("c"));
  EXPECT_THAT(binaries.Find(File("08:01", 1), WithFingerprint(1)),
              IsNamed("d"));
}

TEST(Binaries, AreTheSameWhereverTheyAreMappedAndWhateverTheyAreCalled) {
  Binaries binaries;
  MappedImage file = File("08:01", 1);
  binaries.Add(file, *LoadedImage({.base = 0x10000, .relocated = false}).Read(),
               Named("a"));
  file.base = 0x20000;
  file.path = "/proc/1/root/lib/python.so (deleted)";
  EXPECT_THAT(
      binaries.Find(file,
                    *LoadedImage({.base = 0x20000, .relocated = false}).Read()),
      IsNamed("a"));
}

TEST(Binaries, ReplaceWhatWasKnown) {
  Binaries binaries;
  for (const char* version : {"a", "b"}) {
    binaries.Add(File("08:01", 1), WithFingerprint(0), Named(version));
    EXPECT_THAT(binaries.Find(File("08:01", 1), WithFingerprint(0)),
                IsNamed(version));
  }
  EXPECT_EQ(binaries.size(), 1u);
}

TEST(Binaries, DoNotGrowForEver) {
  Binaries binaries;
  const Image image = WithFingerprint(0);
  size_t most = 0;
  for (uint64_t inode = 0; inode < 10'000; ++inode) {
    binaries.Add(File("08:01", inode), image, Binary());
    ASSERT_NE(binaries.Find(File("08:01", inode), image), nullptr);
    most = std::max(most, binaries.size());
  }
  EXPECT_EQ(most, 4096u);
}

}  // namespace
}  // namespace pycheck

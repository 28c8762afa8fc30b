#include "lib/cpython/version.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/testing/loaded_image.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/synthetic_image.h"

namespace pycheck {
namespace {

using absl::StatusCode;

constexpr uint64_t kData = SyntheticImage::kData;
constexpr uint64_t kDataSize = SyntheticImage::kSize - kData;

struct Version {
  uint32_t hex;
  const char* text;
};

class VersionFromHexTest : public testing::TestWithParam<Version> {};

TEST_P(VersionFromHexTest, IsAsPlatformGivesIt) {
  EXPECT_EQ(VersionFromHex(GetParam().hex), GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(, VersionFromHexTest,
                         testing::Values(Version{0x02071200 | 0xf0, "2.7.18"},
                                         Version{0x030d00a0 | 0x6, "3.13.0a6"},
                                         Version{0x030d00b3, "3.13.0b3"},
                                         Version{0x030d00c1, "3.13.0rc1"},
                                         Version{0x030f00aa, "3.15.0a10"},
                                         Version{0x030c0bf0, "3.12.11"},
                                         Version{0xffffffff, "255.255.255"}),
                         [](const auto& info) {
                           return std::to_string(info.param.hex);
                         });

TEST(VersionHex, HasTheMajorAndTheMinorVersionFirst) {
  EXPECT_EQ(MajorOf(0x030d00f0), 3);
  EXPECT_EQ(MinorOf(0x030d00f0), 13);
  EXPECT_EQ(MajorOf(0xff000000), 255);
  EXPECT_EQ(MinorOf(0x00ff0000), 255);
}

// A text in the zero-filled data, at an odd place.
class FindVersionTest : public testing::Test {
 protected:
  static constexpr uint64_t kText = kData + 0x105;

  void PutText(std::string_view text, uint64_t offset = kText) {
    loaded_.memory().Write(loaded_.image().base + offset, text);
  }

  absl::StatusOr<std::string> Find() {
    return FindVersion(loaded_.memory(), *loaded_.Read());
  }
  absl::StatusOr<std::string> Find(std::string_view text) {
    PutText(std::string(0x300, '\0'), kText - 1);
    PutText(text);
    return Find();
  }

  LoadedImage loaded_;
};

TEST_F(FindVersionTest, FindsTheFirstWordOfEveryVersionsText) {
  struct {
    std::string_view text;
    std::string_view version;
  } const texts[] = {
      {"2.7.18 (default, Oct  1 2026, 08:36:41) \n[GCC 12.2.0]", "2.7.18"},
      {"3.6.9 |Anaconda, Inc.| (default, Jul 30 2019, 19:07:31) \n[GCC 7.3.0]",
       "3.6.9"},
      {"3.11.2 (main, Mar 13 2023, 12:18:29) [GCC 12.2.0]", "3.11.2"},
      {"3.13.0rc1 (main, Aug  3 2024, 00:00:00) [Clang 18.1.8 ]", "3.13.0rc1"},
      {"3.15.0a10 (main, Aug  3 2026, 00:00:00) [GCC 15.1.0]", "3.15.0a10"},
      {"3.13.0b2+ (heads/3.13:1234567, Jun  1 2024, 00:00:00) [GCC 12.2.0]",
       "3.13.0b2+"},
      {"3.12.0+ (tags/v3.12.0-dirty:0fb18b0, Dec  1 2023) [GCC 12.2.0]",
       "3.12.0+"},
      {"3.13.5 free-threading build (main, Jun 12 2025) [GCC 14.2.0]",
       "3.13.5"},
  };
  for (const auto& [text, version] : texts) {
    EXPECT_THAT(Find(text), IsOkAndHolds(version)) << text;
  }
}

TEST_F(FindVersionTest, FindsNoOtherText) {
  for (const std::string_view text : {
           "",
           "3.11.2",
           "3.11.2 (main, Mar 13 2023, 12:18:29)",
           "3.11.2 (main, Mar 13 2023, 12:18:29) ",
           "3.11.2 (main, Mar 13 2023, 12:18:29) \n",
           "3.11.2 (main, Mar 13 2023, 12:18:29) GCC",
           "3.11.2 (main, Mar 13 2023, 12:18:29)[GCC 12.2.0]",
           "(main, Mar 13 2023, 12:18:29) [GCC 12.2.0]",
           " (main) [GCC 12.2.0]",
           ") [",
           "3 (main, Mar 13 2023, 12:18:29) [GCC 12.2.0]",
           "3,11,2 (main, Mar 13 2023, 12:18:29) [GCC 12.2.0]",
           "3.11 (main, Mar 13 2023, 12:18:29) [GCC 12.2.0]",
           "3..2 (main, Mar 13 2023, 12:18:29) [GCC 12.2.0]",
           ".11.2 (main, Mar 13 2023, 12:18:29) [GCC 12.2.0]",
           "3.11. (main, Mar 13 2023, 12:18:29) [GCC 12.2.0]",
           "v3.11.2 (main, Mar 13 2023, 12:18:29) [GCC 12.2.0]",
           "1234.11.2 (main, Mar 13 2023, 12:18:29) [GCC 12.2.0]",
           "3.11.2-custom (main, Mar 13 2023, 12:18:29) [GCC 12.2.0]",
           "3.11.2withmuchmore (main, Mar 13 2023, 12:18:29) [GCC 12.2.0]",
           "3.11.2\t(main, Mar 13 2023, 12:18:29) [GCC 12.2.0]",
       }) {
    EXPECT_THAT(Find(text), IsOkAndHolds("")) << text;
  }
}

TEST_F(FindVersionTest, LooksBehindTextsThatAreNone) {
  PutText("x (nothing) [at all]");
  PutText("3.11.2 (main, Mar 13 2023, 12:18:29) [GCC 12.2.0]", kText + 64);
  EXPECT_THAT(Find(), IsOkAndHolds("3.11.2"));
}

TEST_F(FindVersionTest, TakesTheFirstOfSeveral) {
  PutText("3.11.2 (main, Mar 13 2023, 12:18:29) [GCC 12.2.0]");
  PutText("3.12.1 (main, Mar 13 2023, 12:18:29) [GCC 12.2.0]", kText + 64);
  EXPECT_THAT(Find(), IsOkAndHolds("3.11.2"));
}

TEST_F(FindVersionTest, FindsATextAtTheBeginningAndAtTheEndOfTheZeros) {
  constexpr std::string_view kWhole = "3.11.2 (main) [GCC 12.2.0]";
  PutText(kWhole, kData);
  EXPECT_THAT(Find(), IsOkAndHolds("3.11.2"));
  PutText(std::string(kWhole.size(), '\0'), kData);
  PutText(kWhole, kData + kDataSize - kWhole.size());
  EXPECT_THAT(Find(), IsOkAndHolds("3.11.2"));
}

TEST_F(FindVersionTest, FindsNoTextThatBeginsTooFarAway) {
  for (const size_t length : {300, 301}) {
    const std::string version = "3.11.2 (";
    const std::string text =
        version + std::string(length - version.size(), 'x') + ") [GCC]";
    EXPECT_THAT(Find(text), IsOkAndHolds(length == 300 ? "3.11.2" : ""));
  }
}

TEST_F(FindVersionTest, LooksAtNothingThatIsNotZeroFilled) {
  loaded_ = LoadedImage({.data_in_file = 0x400});
  EXPECT_THAT(Find("3.11.2 (main) [GCC 12.2.0]"), IsOkAndHolds(""));
  PutText("3.12.1 (main) [GCC 12.2.0]", kData + 0x400);
  EXPECT_THAT(Find(), IsOkAndHolds("3.12.1"));
}

TEST_F(FindVersionTest, LooksAtEachSegmentOfData) {
  constexpr uint64_t kSecond = SyntheticImage::kSize;
  loaded_.Put(offsetof(Elf64_Ehdr, e_phnum), uint16_t{4});
  loaded_.Put(
      SyntheticImage::kDynamicSegment + sizeof(Elf64_Phdr),
      Elf64_Phdr{PT_LOAD, PF_R | PF_W, 0, kSecond, kSecond, 0, 0x1000, 8});
  loaded_.memory().Map(loaded_.image().base + kSecond,
                       std::string(0x1000, '\0'));
  PutText("3.11.2 (main) [GCC 12.2.0]", kSecond + 0x10);
  EXPECT_THAT(Find(), IsOkAndHolds("3.11.2"));
}

TEST_F(FindVersionTest, LooksAtFourMebibytesAndNoMore) {
  constexpr uint64_t kMost = uint64_t{4} << 20;
  loaded_ = LoadedImage({.data_size = kMost + 0x1000});
  PutText("3.11.2 (main) [GCC 12.2.0]", kData + kMost);
  EXPECT_THAT(Find(), IsOkAndHolds(""));
  PutText("3.12.1 (main) [GCC 12.2.0]", kData + kMost - 0x100);
  EXPECT_THAT(Find(), IsOkAndHolds("3.12.1"));
}

TEST_F(FindVersionTest, FindsNothingInAnImageWithoutData) {
  loaded_.Put(SyntheticImage::kDataSegment, uint32_t{PT_NULL});
  EXPECT_THAT(Find("3.11.2 (main) [GCC 12.2.0]"), IsOkAndHolds(""));
}

TEST_F(FindVersionTest, SaysThatTheProcessHasGone) {
  const absl::StatusOr<Image> image = loaded_.Read();
  ASSERT_THAT(image, IsOk());
  loaded_.memory().Vanish();
  EXPECT_THAT(FindVersion(loaded_.memory(), *image),
              HasCode(StatusCode::kNotFound));
}

}  // namespace
}  // namespace pycheck

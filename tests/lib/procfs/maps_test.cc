#include "lib/procfs/maps.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/auxv.h>

#include <filesystem>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_file.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;

absl::StatusOr<std::vector<MappedImage>> ImagesIn(std::string_view maps) {
  const TemporaryFile file(maps);
  const absl::StatusOr<UniqueFd> fd = OpenFile(file.path());
  return fd.ok() ? ReadMappedImages(fd->get()) : fd.status();
}

auto IsImage(uint64_t base, const std::string& path) {
  return AllOf(Field("base", &MappedImage::base, base),
               Field("path", &MappedImage::path, path));
}

TEST(ParseMapping, TakesEachField) {
  const absl::StatusOr<Mapping> mapping = ParseMapping(
      "7f0000001000-7f0000002000 r-xp 0000a000 fd:01 1234567    /usr/bin/x");
  ASSERT_THAT(mapping, IsOk());
  EXPECT_EQ(mapping->begin, 0x7f0000001000u);
  EXPECT_EQ(mapping->end, 0x7f0000002000u);
  EXPECT_TRUE(mapping->readable);
  EXPECT_TRUE(mapping->executable);
  EXPECT_EQ(mapping->offset, 0xa000u);
  EXPECT_EQ(mapping->device, "fd:01");
  EXPECT_EQ(mapping->inode, 1234567u);
  EXPECT_EQ(mapping->path, "/usr/bin/x");
}

TEST(ParseMapping, ReadsPermissions) {
  const absl::StatusOr<Mapping> mapping =
      ParseMapping("1000-2000 -w-s 00000000 00:05 9 /dev/zero (deleted)");
  ASSERT_THAT(mapping, IsOk());
  EXPECT_FALSE(mapping->readable);
  EXPECT_FALSE(mapping->executable);
}

TEST(ParseMapping, KeepsSpacesInAPath) {
  EXPECT_EQ(ParseMapping("1-2 r--p 0 0:0 7   /a b  c (deleted)")->path,
            "/a b  c (deleted)");
}

TEST(ParseMapping, ReadsAMappingWithoutAPath) {
  EXPECT_EQ(ParseMapping("1000-2000 rw-p 00000000 00:00 0")->path, "");
  EXPECT_EQ(ParseMapping("1000-2000 rw-p 00000000 00:00 0 ")->path, "");
}

TEST(ParseMapping, ReadsTheHighestAddresses) {
  const absl::StatusOr<Mapping> mapping = ParseMapping(
      "ffffffffff600000-ffffffffffffffff --xp 00000000 00:00 0  [vsyscall]");
  ASSERT_THAT(mapping, IsOk());
  EXPECT_EQ(mapping->end, std::numeric_limits<uint64_t>::max());
}

class MalformedMapping : public testing::TestWithParam<const char*> {};

TEST_P(MalformedMapping, IsRefused) {
  EXPECT_THAT(ParseMapping(GetParam()), HasCode(StatusCode::kInvalidArgument));
}

INSTANTIATE_TEST_SUITE_P(
    ParseMapping, MalformedMapping,
    testing::Values(
        "", " ", "-", "1000", "1000-", "1000-2000", "1000-2000 r-xp",
        "1000-2000 r-xp 0", "1000-2000 r-xp 0 08:01", "1000-2000 r-xp 0 08:01 ",
        "2000-1000 r-xp 0 08:01 5 /x", "1000-1000 r-xp 0 08:01 5 /x",
        "1000-2000 rxp 0 08:01 5 /x", "1000-2000 r-xpp 0 08:01 5 /x",
        "0x1000-2000 r-xp 0 08:01 5 /x", "1000-2g00 r-xp 0 08:01 5 /x",
        "1000-2000 r-xp zero 08:01 5 /x", "1000-2000 r-xp 0 08:01 f /x",
        "1000-2000 r-xp 0 08:01 -5 /x",
        "1000-10000000000000000 r-xp 0 08:01 5 /x"));

TEST(ReadMappedImages, JoinsTheMappingsOfOneFile) {
  EXPECT_THAT(*ImagesIn("1000-2000 r--p 00000000 08:01 5 /lib/a.so\n"
                        "2000-3000 r-xp 00001000 08:01 5 /lib/a.so\n"
                        "3000-4000 rw-p 00002000 08:01 5 /lib/a.so\n"
                        "4000-5000 rw-p 00000000 00:00 0 \n"),
              ElementsAre(IsImage(0x1000, "/lib/a.so")));
}

TEST(ReadMappedImages, TellsImagesApartInAddressOrder) {
  EXPECT_THAT(
      *ImagesIn("1000-2000 r-xp 00000000 08:01 5 /bin/a\n"
                "2000-3000 r-xp 00000000 08:01 6 /lib/b.so\n"
                "3000-4000 r-xp 00000000 08:02 6 /lib/c.so\n"),
      ElementsAre(IsImage(0x1000, "/bin/a"), IsImage(0x2000, "/lib/b.so"),
                  IsImage(0x3000, "/lib/c.so")));
}

TEST(ReadMappedImages, LooksPastAnonymousMemoryInTheMiddle) {
  EXPECT_THAT(*ImagesIn("1000-2000 r--p 00000000 08:01 5 /lib/a.so\n"
                        "2000-3000 rw-p 00000000 00:00 0 \n"
                        "3000-4000 r-xp 00001000 08:01 5 /lib/a.so\n"),
              ElementsAre(IsImage(0x1000, "/lib/a.so")));
}

TEST(ReadMappedImages, KeepsADeletedFile) {
  EXPECT_THAT(*ImagesIn("1000-2000 r-xp 00000000 08:01 5 /bin/py (deleted)\n"),
              ElementsAre(IsImage(0x1000, "/bin/py (deleted)")));
}

TEST(ReadMappedImages, LeavesOutDataFiles) {
  EXPECT_THAT(*ImagesIn("1000-2000 r--s 00000000 08:01 5 /var/data\n"
                        "2000-3000 rw-p 00001000 08:01 5 /var/data\n"),
              IsEmpty());
}

TEST(ReadMappedImages, LeavesOutAFileWhoseFirstByteIsNotMapped) {
  EXPECT_THAT(*ImagesIn("1000-2000 r-xp 00001000 08:01 5 /lib/a.so\n"),
              IsEmpty());
}

TEST(ReadMappedImages, LeavesOutAFileWhoseFirstByteIsNotReadable) {
  EXPECT_THAT(*ImagesIn("1000-2000 ---p 00000000 08:01 5 /lib/a.so\n"
                        "2000-3000 r-xp 00001000 08:01 5 /lib/a.so\n"),
              IsEmpty());
}

TEST(ReadMappedImages, LeavesOutWhatNoFileBacks) {
  EXPECT_THAT(*ImagesIn("1000-2000 r-xp 00000000 00:00 0 [vdso]\n"), IsEmpty());
}

TEST(ReadMappedImages, GivesNothingForAKernelThread) {
  EXPECT_THAT(*ImagesIn(""), IsEmpty());
}

TEST(ReadMappedImages, ReadsMoreThanOneBufferOfLines) {
  constexpr size_t kFiles = 5'000;
  std::string maps;
  for (size_t i = 1; i <= kFiles; ++i) {
    absl::StrAppend(&maps, absl::Hex(i * 0x1000), "-",
                    absl::Hex(i * 0x1000 + 0x1000), " r-xp 00000000 08:01 ", i,
                    " /lib/a-long-name-", i, "\n");
  }
  const absl::StatusOr<std::vector<MappedImage>> images = ImagesIn(maps);
  ASSERT_THAT(images, IsOk());
  ASSERT_THAT(*images, SizeIs(kFiles));
  for (size_t i = 0; i < kFiles; ++i) {
    ASSERT_THAT(
        (*images)[i],
        IsImage((i + 1) * 0x1000, absl::StrCat("/lib/a-long-name-", i + 1)));
  }
}

TEST(ReadMappedImages, ReadsTheLongestPath) {
  // Four characters, "\012", for each newline in it.
  const std::string path = "/" + std::string(4 * 4095, 'n');
  EXPECT_THAT(
      *ImagesIn(absl::StrCat("1000-2000 r-xp 00000000 08:01 5 ", path, "\n")),
      ElementsAre(IsImage(0x1000, path)));
}

TEST(ReadMappedImages, RefusesALineWithoutEnd) {
  EXPECT_THAT(
      ImagesIn(std::string(100'000, '1')),
      StatusIs(StatusCode::kInvalidArgument, "a line in maps has no end"));
}

TEST(ReadMappedImages, RefusesAMalformedLine) {
  EXPECT_THAT(ImagesIn("1000-2000 r-xp 00000000 08:01 5 /bin/a\nnonsense\n"),
              StatusIs(StatusCode::kInvalidArgument,
                       "malformed line in maps: nonsense"));
}

TEST(ReadMappedImages, StopsAtTheMostMappings) {
  std::string maps;
  for (int i = 0; i <= kMaxMappings; ++i) maps += "1-2 r--p 0 0:0 0\n";
  EXPECT_THAT(ImagesIn(maps),
              StatusIs(StatusCode::kOutOfRange, "too many mappings"));
}

TEST(ReadMappedImages, ReportsAFileThatCannotBeRead) {
  EXPECT_THAT(ReadMappedImages(-1),
              StatusIs(absl::ErrnoToStatusCode(EBADF),
                       testing::HasSubstr("cannot read maps")));
}

TEST(ReadMappedImages, FindsItsOwnExecutable) {
  const absl::StatusOr<UniqueFd> fd = OpenFile("/proc/self/maps");
  ASSERT_THAT(fd, IsOk());
  const absl::StatusOr<std::vector<MappedImage>> images =
      ReadMappedImages(fd->get());
  ASSERT_THAT(images, IsOk());
  const uint64_t base = getauxval(AT_PHDR) - sizeof(Elf64_Ehdr);
  EXPECT_THAT(*images,
              testing::Contains(IsImage(
                  base, std::filesystem::read_symlink("/proc/self/exe"))));
}

}  // namespace
}  // namespace pycheck

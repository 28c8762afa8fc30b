#include "lib/base/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>

#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_file.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

constexpr size_t kNoLimit = size_t{1} << 20;

TEST(OpenFile, ClosesOnExec) {
  const TemporaryFile file("");
  const absl::StatusOr<UniqueFd> fd = OpenFile(file.path());
  ASSERT_THAT(fd, IsOk());
  EXPECT_EQ(fcntl(fd->get(), F_GETFD), FD_CLOEXEC);
}

TEST(OpenFile, OpensForReadingOnly) {
  const TemporaryFile file("kept");
  const absl::StatusOr<UniqueFd> fd = OpenFile(file.path());
  ASSERT_THAT(fd, IsOk());
  EXPECT_EQ(write(fd->get(), "x", 1), -1);
  EXPECT_EQ(errno, EBADF);
}

TEST(OpenFile, NamesThePathOfAMissingFile) {
  EXPECT_THAT(OpenFile("/nowhere/at/all"),
              StatusIs(StatusCode::kNotFound,
                       HasSubstr("cannot open /nowhere/at/all")));
}

TEST(OpenFile, DoesNotWaitForTheWriterOfAFifo) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(OpenFile(path), IsOk());
}

TEST(OpenAt, TakesThePathFromTheDirectory) {
  const TemporaryDirectory directory;
  ASSERT_EQ(mkfifo(directory.File("entry").c_str(), 0600), 0);
  const absl::StatusOr<UniqueFd> parent =
      OpenFile(directory.path(), O_DIRECTORY);
  ASSERT_THAT(parent, IsOk());
  EXPECT_THAT(OpenAt(parent->get(), "entry"), IsOk());
  EXPECT_THAT(OpenAt(parent->get(), "other"), HasCode(StatusCode::kNotFound));
}

TEST(OpenAt, PassesItsFlagsOn) {
  const TemporaryFile file("");
  EXPECT_THAT(OpenAt(AT_FDCWD, file.path(), O_DIRECTORY),
              HasCode(StatusCode::kFailedPrecondition));
}

TEST(ReadFromStart, ReadsTheSameBytesAgain) {
  const TemporaryFile file("content");
  const absl::StatusOr<UniqueFd> fd = OpenFile(file.path());
  ASSERT_THAT(fd, IsOk());
  std::array<char, 64> buffer;
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(*ReadFromStart(fd->get(), absl::MakeSpan(buffer), "it"),
              "content");
  }
}

TEST(ReadFromStart, CutsALongerFile) {
  const TemporaryFile file("content");
  const absl::StatusOr<UniqueFd> fd = OpenFile(file.path());
  ASSERT_THAT(fd, IsOk());
  std::array<char, 4> buffer;
  EXPECT_EQ(*ReadFromStart(fd->get(), absl::MakeSpan(buffer), "it"), "cont");
}

TEST(ReadFromStart, NamesWhatItCouldNotRead) {
  std::array<char, 4> buffer;
  EXPECT_THAT(
      ReadFromStart(-1, absl::MakeSpan(buffer), "the file"),
      StatusIs(absl::ErrnoToStatusCode(EBADF), HasSubstr("read the file")));
}

TEST(ReadWholeFile, ReadsMoreThanOneChunkWithNulBytes) {
  std::string content(10'000, '\0');
  content += "end";
  const TemporaryFile file(content);
  EXPECT_EQ(*ReadWholeFile(file.path(), kNoLimit), content);
}

TEST(ReadWholeFile, ReadsAnEmptyFile) {
  const TemporaryFile file("");
  EXPECT_EQ(*ReadWholeFile(file.path(), 0), "");
}

TEST(ReadWholeFile, TakesAFileAsLongAsTheLimit) {
  const TemporaryFile file("12345678");
  EXPECT_EQ(*ReadWholeFile(file.path(), 8), "12345678");
}

TEST(ReadWholeFile, RefusesAFileOneByteOverTheLimit) {
  const TemporaryFile file("123456789");
  EXPECT_THAT(ReadWholeFile(file.path(), 8),
              StatusIs(StatusCode::kOutOfRange,
                       file.path() + " is longer than 8 bytes"));
}

TEST(ReadWholeFile, StopsInAnEndlessDevice) {
  EXPECT_THAT(ReadWholeFile("/dev/zero", 5000),
              HasCode(StatusCode::kOutOfRange));
}

TEST(ReadWholeFile, RefusesADirectory) {
  const TemporaryDirectory directory;
  EXPECT_THAT(ReadWholeFile(directory.path(), kNoLimit),
              StatusIs(absl::ErrnoToStatusCode(EISDIR),
                       HasSubstr("cannot read " + directory.path())));
}

TEST(ReadFileStart, IsCutAtTheLimit) {
  const TemporaryFile file(std::string(9'000, 'x'));
  EXPECT_EQ(*ReadFileStart(file.path(), 0), "");
  EXPECT_EQ(ReadFileStart(file.path(), 8'999)->size(), 8'999U);
  EXPECT_EQ(ReadFileStart(file.path(), 9'001)->size(), 9'000U);
  EXPECT_EQ(ReadFileStart("/dev/zero", 10'000)->size(), 10'000U);
}

}  // namespace
}  // namespace pycheck

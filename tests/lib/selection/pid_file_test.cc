#include "lib/selection/pid_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_file.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::HasSubstr;
using testing::StartsWith;

class PidFile : public testing::TestWithParam<const char*> {};

TEST_P(PidFile, BeginsWithALineOfOneNumber) {
  const TemporaryFile file(GetParam());
  EXPECT_THAT(ReadPidFile(file.path()), IsOkAndHolds(4711));
}

INSTANTIATE_TEST_SUITE_P(ReadPidFileTest, PidFile,
                         testing::Values("4711", "4711\n", "  4711\t\r\n\n",
                                         "4711\n4712\n", "4711\n/data\n",
                                         "04711"));

class BadPidFile : public testing::TestWithParam<std::string> {};

TEST_P(BadPidFile, IsRefusedWithTheRemedy) {
  const TemporaryFile file(GetParam());
  EXPECT_THAT(
      ReadPidFile(file.path()),
      StatusIs(
          StatusCode::kInvalidArgument,
          testing::AllOf(
              StartsWith(absl::StrCat("pid_file: ", file.path(), " holds")),
              HasSubstr("not a process id; its first line must be one "
                        "number"))));
}

INSTANTIATE_TEST_SUITE_P(ReadPidFileTest, BadPidFile,
                         testing::Values("", "\n", "gunicorn", "-4711", "0",
                                         "-1", "4711 4712", "\n4711", "4711;",
                                         "12.5", "0x1267", "2147483648",
                                         "99999999999999999999",
                                         std::string("47\0011", 4),
                                         std::string(4096, '9')));

TEST(ReadPidFile, ShowsWhatABadFileHolds) {
  const TemporaryFile file("pid\x01 \"" + std::string(200, 'x'));
  EXPECT_THAT(
      ReadPidFile(file.path()),
      StatusIs(StatusCode::kInvalidArgument,
               absl::StrCat("pid_file: ", file.path(), " holds \"pid\\x01 \\\"",
                            std::string(74, 'x'),
                            "\", not a process id; its first line must "
                            "be one number")));
}

TEST(ReadPidFile, NamesAMissingFileAndTheRemedy) {
  EXPECT_THAT(
      ReadPidFile("/nowhere/app.pid"),
      StatusIs(StatusCode::kNotFound,
               testing::AllOf(
                   StartsWith("pid_file: cannot open /nowhere/app.pid"),
                   HasSubstr("; check the path, and that the Agent's user may "
                             "read the file"))));
}

TEST(ReadPidFile, RefusesADirectory) {
  const TemporaryDirectory directory;
  EXPECT_THAT(ReadPidFile(directory.path()),
              StatusIs(StatusCode::kFailedPrecondition,
                       HasSubstr("cannot read " + directory.path())));
}

TEST(ReadPidFile, RefusesAFileThatIsTooLong) {
  const TemporaryFile file(std::string(4097, '1'));
  EXPECT_THAT(ReadPidFile(file.path()),
              StatusIs(StatusCode::kOutOfRange,
                       HasSubstr("is longer than 4096 bytes")));
}

TEST(ReadPidFile, DoesNotWaitForTheWriterOfAFifo) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(ReadPidFile(path), HasCode(StatusCode::kInvalidArgument));
}

TEST(ReadPidFile, ReadsTheFileAnewEachTime) {
  const TemporaryFile file("1");
  EXPECT_THAT(ReadPidFile(file.path()), IsOkAndHolds(1));
  std::ofstream(file.path()) << "2";
  EXPECT_THAT(ReadPidFile(file.path()), IsOkAndHolds(2));
}

}  // namespace
}  // namespace pycheck

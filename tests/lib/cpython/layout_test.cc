#include "lib/cpython/layout.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "lib/base/file.h"
#include "tests/testing/command.h"
#include "tests/testing/python_process.h"

namespace pycheck {
namespace {

class LayoutTest : public ::testing::TestWithParam<Python> {};

TEST_P(LayoutTest, IsWhatTheCompilerMakesOfTheHeaders) {
  const Python& python = GetParam();
  if (python.include.empty() ||
      access(absl::StrCat(python.include, "/internal").c_str(), F_OK) != 0) {
    GTEST_SKIP() << "no headers of Python " << python.name
                 << " on this machine";
  }
  const std::string row =
      RunCommand(absl::StrCat(LAYOUT_PRINT " '", python.include, "'")).output;
  ASSERT_FALSE(row.empty()) << "the generator does not compile";
  const absl::StatusOr<std::string> rows = ReadWholeFile(LAYOUTS, 1 << 20);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_NE(rows->find(row), std::string::npos)
      << "not in lib/cpython/layouts.inc: " << row;
}

INSTANTIATE_TEST_SUITE_P(
    , LayoutTest, ::testing::ValuesIn(Pythons()), [](const auto& python) {
      return absl::StrReplaceAll(python.param.name, {{".", "_"}});
    });

TEST(KnownLayouts, HasOneRowForEachVersionInOrder) {
  const auto layouts = KnownLayouts();
  for (size_t i = 1; i < layouts.size(); ++i) {
    EXPECT_LT(std::pair(layouts[i - 1].major, layouts[i - 1].minor),
              std::pair(layouts[i].major, layouts[i].minor));
  }
}

}  // namespace
}  // namespace pycheck

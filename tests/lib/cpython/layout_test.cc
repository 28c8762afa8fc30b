#include "lib/cpython/layout.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/cpython/free_threading.h"
#include "tests/testing/command.h"
#include "tests/testing/python_process.h"

namespace pycheck {
namespace {

// What tools/layout/print says of a Python's headers is a line of `rows`.
void ExpectRow(const Python& python, const std::string& rows) {
  if (python.include.empty() ||
      access(absl::StrCat(python.include, "/internal").c_str(), F_OK) != 0) {
    GTEST_SKIP() << "no headers of Python " << python.name
                 << " on this machine";
  }
  const std::string row =
      RunCommand(absl::StrCat(LAYOUT_PRINT " '", python.include, "'")).output;
  ASSERT_FALSE(row.empty()) << "the generator does not compile";
  const absl::StatusOr<std::string> text = ReadWholeFile(rows, 1 << 20);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_NE(text->find(row), std::string::npos)
      << "not in " << rows << ": " << row;
}

class LayoutTest : public ::testing::TestWithParam<Layout> {};

TEST_P(LayoutTest, IsWhatTheCompilerMakesOfTheHeaders) {
  ExpectRow(PythonNamed(absl::StrCat(GetParam().major, ".", GetParam().minor)),
            LAYOUTS "/layouts.inc");
}

INSTANTIATE_TEST_SUITE_P(, LayoutTest, ::testing::ValuesIn(KnownLayouts()),
                         [](const auto& layout) {
                           return absl::StrCat(layout.param.major, "_",
                                               layout.param.minor);
                         });

class FreeThreadedLayoutTest
    : public ::testing::TestWithParam<FreeThreadedLayout> {};

TEST_P(FreeThreadedLayoutTest, IsWhatTheCompilerMakesOfTheHeaders) {
  ExpectRow(
      PythonNamed(absl::StrCat(GetParam().major, ".", GetParam().minor, "t")),
      LAYOUTS "/free_threaded_layouts.inc");
}

INSTANTIATE_TEST_SUITE_P(, FreeThreadedLayoutTest,
                         ::testing::ValuesIn(KnownFreeThreadedLayouts()),
                         [](const auto& layout) {
                           return absl::StrCat(layout.param.major, "_",
                                               layout.param.minor);
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

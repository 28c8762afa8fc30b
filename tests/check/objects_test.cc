// What the built objects need and what they let out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/file.h"
#include "tests/testing/command.h"

namespace pycheck {
namespace {

using ::testing::IsSubsetOf;
using ::testing::UnorderedElementsAreArray;

struct Object {
  std::string name;
  std::string path;
  std::vector<std::string> exports;
};

void PrintTo(const Object& object, std::ostream* stream) {
  *stream << object.path;
}

class ObjectsTest : public ::testing::TestWithParam<Object> {};

TEST_P(ObjectsTest, NeedsOnlyTheCLibrary) {
  const std::vector<std::string> allowed = absl::StrSplit(
      *ReadWholeFile(EXPECTED_NEEDED, 4096), '\n', absl::SkipEmpty());
  const std::vector<std::string> needed =
      LinesOf(absl::StrCat("readelf -d '", GetParam().path,
                           "' | sed -n 's/.*(NEEDED).*\\[\\(.*\\)\\]/\\1/p'"));
  ASSERT_FALSE(needed.empty());
  if (!STATIC_RUNTIME) GTEST_SKIP() << "the sanitizers' runtimes are shared";
  EXPECT_THAT(needed, IsSubsetOf(allowed));
}

TEST_P(ObjectsTest, LetsOnlyItsEntryPointsOut) {
  EXPECT_THAT(LinesOf(absl::StrCat("nm -D --defined-only '", GetParam().path,
                                   "' | sed 's/.* //'")),
              UnorderedElementsAreArray(GetParam().exports));
}

INSTANTIATE_TEST_SUITE_P(
    , ObjectsTest,
    ::testing::Values(Object{"native", NATIVE_DOOR, {"Run", "Version"}},
                      Object{"rtloader", RTLOADER_DOOR, {"PyInit_python"}}),
    [](const auto& object) { return object.param.name; });

}  // namespace
}  // namespace pycheck

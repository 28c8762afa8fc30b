#include "lib/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace pycheck {
namespace {

TEST(WithoutInvalidUtf8, LeavesWhatIsValid) {
  for (const std::string& text :
       {std::string(), std::string("app"), std::string("a\0b", 3),
        std::string("\xc2\x80\xdf\xbf"),
        std::string("\xe0\xa0\x80\xed\x9f\xbf"),
        std::string("\xee\x80\x80\xef\xbf\xbf"),
        std::string("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")}) {
    EXPECT_EQ(WithoutInvalidUtf8(text), text);
  }
}

TEST(WithoutInvalidUtf8, ReplacesEachByteThatIsNot) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(WithoutInvalidUtf8("a\xff"
                               "b"),
            "a" + r + "b");
  EXPECT_EQ(WithoutInvalidUtf8("\x80\xbf"), r + r);
  EXPECT_EQ(WithoutInvalidUtf8("\xc3"), r);
  EXPECT_EQ(WithoutInvalidUtf8("\xc3(\xa9"), r + "(" + r);
  EXPECT_EQ(WithoutInvalidUtf8("\xc0\xaf"), r + r);          // too long
  EXPECT_EQ(WithoutInvalidUtf8("\xe0\x9f\x80"), r + r + r);  // too long
  EXPECT_EQ(WithoutInvalidUtf8("\xed\xa0\x80"), r + r + r);  // surrogate
  EXPECT_EQ(WithoutInvalidUtf8("\xe2\x98"), r + r);          // cut
  EXPECT_EQ(WithoutInvalidUtf8("\xf4\x90\x80\x80"), r + r + r + r);
  EXPECT_EQ(WithoutInvalidUtf8("\xf5\x80\x80\x80"), r + r + r + r);
  EXPECT_EQ(WithoutInvalidUtf8("\xf0\x9f\x90\x8d\xf0\x9f"),
            "\xf0\x9f\x90\x8d" + r + r);
}

}  // namespace
}  // namespace pycheck

#include "lib/base/users.h"

#include <gtest/gtest.h>

namespace pycheck {
namespace {

constexpr uid_t kNobodyHasIt = 3'000'000'000;

TEST(Users, KnowRoot) {
  EXPECT_EQ(FindUser("root"), 0U);
  EXPECT_EQ(UserName(0), "root");
}

TEST(Users, AreNumbersWhereTheyHaveNoName) {
  EXPECT_EQ(FindUser("3000000000"), kNobodyHasIt);
  EXPECT_EQ(UserName(kNobodyHasIt), "3000000000");
}

TEST(Users, AreNotMadeUp) {
  EXPECT_EQ(FindUser("no-such-user"), std::nullopt);
  EXPECT_EQ(FindUser(""), std::nullopt);
  EXPECT_EQ(FindUser("-1"), std::nullopt);
  EXPECT_EQ(FindUser("4294967296"), std::nullopt);
}

}  // namespace
}  // namespace pycheck

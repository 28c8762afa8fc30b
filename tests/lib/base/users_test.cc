#include "lib/base/users.h"

#include <gtest/gtest.h>

#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

constexpr uid_t kNobodyHasIt = 3'000'000'000;

TEST(Users, KnowRoot) {
  EXPECT_THAT(FindUser("root"), IsOkAndHolds(0U));
  EXPECT_THAT(UserName(0), IsOkAndHolds("root"));
}

TEST(Users, AreNumbersWhereTheyHaveNoName) {
  EXPECT_THAT(FindUser("3000000000"), IsOkAndHolds(kNobodyHasIt));
  EXPECT_THAT(UserName(kNobodyHasIt), IsOkAndHolds("3000000000"));
}

TEST(Users, AreNotMadeUp) {
  for (const char* name : {"no-such-user", "", "-1", "4294967296"}) {
    EXPECT_THAT(FindUser(name), HasCode(absl::StatusCode::kNotFound)) << name;
  }
}

}  // namespace
}  // namespace pycheck

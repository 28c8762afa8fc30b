#include "lib/base/deadline.h"

#include <gtest/gtest.h>

namespace pycheck {
namespace {

TEST(Deadline, PassesAfterItsTime) {
  EXPECT_TRUE(Deadline(absl::ZeroDuration()).HasPassed());
  EXPECT_FALSE(Deadline(absl::Hours(1)).HasPassed());
  EXPECT_FALSE(Deadline(absl::InfiniteDuration()).HasPassed());
  const Deadline soon(absl::Milliseconds(5));
  while (!soon.HasPassed()) continue;
}

TEST(MonotonicTime, DoesNotGoBack) {
  const absl::Duration before = MonotonicTime();
  EXPECT_GE(MonotonicTime(), before);
}

}  // namespace
}  // namespace pycheck

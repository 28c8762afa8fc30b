#include "check/native/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace pycheck {
namespace {

using ::testing::HasSubstr;

constexpr char kInstance[] = "{name: app, pid: 1, min_collection_interval: 10}";

TEST(Registry, KeepsAnInstanceFromRunToRun) {
  Registry registry;
  const auto first = registry.Find("a", "", kInstance, absl::Seconds(0));
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = registry.Find("a", "", kInstance, absl::Seconds(10));
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(registry.size(), 1U);
}

TEST(Registry, MakesAnInstanceAnewWhenItsConfigurationChanges) {
  Registry registry;
  const auto first = registry.Find("a", "", kInstance, absl::Seconds(0));
  const auto second =
      registry.Find("a", "", "{name: app, pid: 2}", absl::Seconds(10));
  EXPECT_NE(*first, *second);
  EXPECT_EQ(registry.size(), 1U);
}

TEST(Registry, ForgetsAnInstanceThatIsNotRunAnyMore) {
  Registry registry;
  ASSERT_TRUE(registry.Find("a", "", kInstance, absl::Seconds(0)).ok());
  ASSERT_TRUE(registry.Find("b", "", kInstance, absl::Seconds(600)).ok());
  EXPECT_EQ(registry.size(), 2U);
  ASSERT_TRUE(registry.Find("b", "", kInstance, absl::Seconds(601)).ok());
  EXPECT_EQ(registry.size(), 1U);
}

TEST(Registry, KeepsAnInstanceThatIsLate) {
  Registry registry;
  const auto first = registry.Find("a", "", kInstance, absl::Seconds(0));
  const auto late = registry.Find("a", "", kInstance, absl::Hours(1));
  EXPECT_EQ(*first, *late);
}

TEST(Registry, KeepsNothingOfAConfigurationThatIsWrong) {
  Registry registry;
  EXPECT_THAT(registry.Find("a", "", "{name: app}", absl::Seconds(0))
                  .status()
                  .message(),
              HasSubstr("pid_file"));
  EXPECT_THAT(
      registry.Find("a", "", "{name: [", absl::Seconds(0)).status().message(),
      HasSubstr("not valid YAML"));
  EXPECT_EQ(registry.size(), 0U);
}

}  // namespace
}  // namespace pycheck

#include "check/native/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "tests/testing/apart.h"

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

// In a root directory that has nothing but the host's procfs.
TEST(Registry, LooksAtTheHostsProcfsWhereThatIsMounted) {
  if (geteuid() != 0) GTEST_SKIP() << "needs to be started by root";
  RunApart([] {
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount("none", "/mnt", "tmpfs", 0, nullptr), 0);
    ASSERT_TRUE(std::filesystem::create_directories("/mnt/host/proc"));
    ASSERT_EQ(mount("/proc", "/mnt/host/proc", nullptr, MS_BIND, nullptr), 0);
    ASSERT_EQ(chroot("/mnt"), 0);
    Registry registry;
    EXPECT_TRUE(registry.Find("a", "", kInstance, absl::Seconds(0)).ok());
    ASSERT_EQ(umount2("/host/proc", MNT_DETACH), 0);
    EXPECT_THAT(
        registry.Find("b", "", kInstance, absl::Seconds(0)).status().message(),
        HasSubstr("/proc"));
  });
}

}  // namespace
}  // namespace pycheck

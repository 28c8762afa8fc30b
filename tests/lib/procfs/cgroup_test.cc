#include "lib/procfs/cgroup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

const std::string kId = std::string(60, 'a') + "0123";
const std::string kOther = std::string(60, 'b') + "4567";

TEST(ReadCgroups, HasALineForEachHierarchy) {
  EXPECT_THAT(ReadCgroups(*Procfs::Open("/proc"), getpid()),
              IsOkAndHolds(testing::MatchesRegex("([0-9]+:.*:/.*\n)+")));
}

TEST(IsInUnit, FindsTheUnitAnywhereInThePath) {
  const std::string text = "0::/system.slice/app.service/workers\n";
  EXPECT_TRUE(IsInUnit(text, "app.service"));
  EXPECT_TRUE(IsInUnit(text, "system.slice"));
  EXPECT_FALSE(IsInUnit(text, "app"));
  EXPECT_FALSE(IsInUnit(text, "p.service"));
}

TEST(IsInUnit, ReadsBothVersionsOfCgroups) {
  const std::string text =
      "12:cpu,cpuacct:/\n"
      "1:name=systemd:/system.slice/system-celery.slice/celery@1.service\n"
      "0::/\n";
  EXPECT_TRUE(IsInUnit(text, "celery@1.service"));
  EXPECT_FALSE(IsInUnit(text, "celery@2.service"));
}

TEST(IsInUnit, ReadsThePathOfAnotherCgroupNamespace) {
  EXPECT_TRUE(IsInUnit("0::/../../system.slice/app.service\n", "app.service"));
}

TEST(IsInUnit, KnowsANameThatSystemdHadToEscape) {
  EXPECT_TRUE(IsInUnit("0::/system.slice/_memory.service\n", "memory.service"));
  EXPECT_FALSE(IsInUnit("0::/system.slice/__a.service\n", "a.service"));
}

TEST(IsInUnit, DoesNotTakeAUnitOfAnotherSystemd) {
  EXPECT_FALSE(
      IsInUnit("0::/user.slice/user-1000.slice/user@1000.service/"
               "app.slice/app.service\n",
               "app.service"));
  EXPECT_TRUE(
      IsInUnit("0::/user.slice/user-1000.slice/user@1000.service/"
               "app.slice/app.service\n",
               "user@1000.service"));
  EXPECT_FALSE(
      IsInUnit(absl::StrCat("0::/docker/", kId, "/system.slice/app.service\n"),
               "app.service"));
}

TEST(IsInUnit, TakesColonsInAPath) {
  EXPECT_TRUE(IsInUnit("0::/a:b/c:d.service\n", "c:d.service"));
}

class ContainerPath : public testing::TestWithParam<std::string> {};

TEST_P(ContainerPath, HasTheId) { EXPECT_EQ(FindContainerId(GetParam()), kId); }

INSTANTIATE_TEST_SUITE_P(
    FindContainerId, ContainerPath,
    testing::Values(
        absl::StrCat("0::/system.slice/docker-", kId, ".scope\n"),
        absl::StrCat("5:memory:/docker/", kId, "\n0::/\n"),
        absl::StrCat("0::/kubepods.slice/kubepods-burstable.slice/"
                     "kubepods-burstable-pod6d3bbb7c_0c44_4a3f_8a5a_"
                     "4d5e1f0a2b3c.slice/cri-containerd-",
                     kId, ".scope\n"),
        absl::StrCat("0::/kubepods/besteffort/pod6d3bbb7c-0c44-4a3f-8a5a-"
                     "4d5e1f0a2b3c/",
                     kId, "\n"),
        absl::StrCat("0::/machine.slice/libpod-", kId, ".scope/container\n"),
        absl::StrCat("0::/kubepods.slice/crio-", kId, ".scope\n"),
        absl::StrCat("0::/docker/", kOther, "/docker/", kId, "/init.scope\n"),
        absl::StrCat("0::/../", kId, "\n")));

TEST(FindContainerId, FindsNoneOutsideOfAContainer) {
  for (const std::string& text :
       {std::string(), std::string("0::/\n"),
        std::string("0::/user.slice/user-1000.slice/session-2.scope\n"),
        absl::StrCat("0::/", kId, "0\n"), std::string("nonsense"),
        absl::StrCat(kId, ":a\n")}) {
    EXPECT_EQ(FindContainerId(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace pycheck

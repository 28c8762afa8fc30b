#include "lib/procfs/cgroup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

const std::string kId = std::string(60, 'a') + "0123";

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

TEST(IsInPod, FindsThePodOfAnyRuntimeAndDriver) {
  const std::string uid = "2d3da189-6407-48e3-9ab6-78188d75e609";
  for (const std::string& text : {
           absl::StrCat("0::/kubepods/burstable/pod", uid, "/", kId, "\n"),
           absl::StrCat("4:memory:/\n1:name=systemd:/kubepods/pod", uid, "\n"),
           absl::StrCat("0::/../../kubepods.slice/kubepods-besteffort.slice/"
                        "kubepods-besteffort-pod2d3da189_6407_48e3_9ab6_"
                        "78188d75e609.slice/crio-",
                        kId, ".scope\n"),
           absl::StrCat("0::/system.slice/containerd.service/kubepods-"
                        "pod2d3da189_6407_48e3_9ab6_78188d75e609.slice:"
                        "cri-containerd:",
                        kId, "\n"),
       }) {
    EXPECT_TRUE(IsInPod(text, uid)) << text;
    EXPECT_FALSE(IsInPod(text, "2d3da189-6407-48e3-9ab6-78188d75e60a"));
    EXPECT_FALSE(IsInPod(text, uid.substr(1)));
  }
  EXPECT_FALSE(IsInPod("0::/user.slice\n", uid));
}

struct Case {
  std::string name;
  std::string id;  // or "none"
  std::string text;
};

// Those of CGROUPS_FILE.
std::vector<Case> Cases() {
  std::ifstream file(CGROUPS_FILE);
  std::vector<Case> cases;
  for (std::string line; std::getline(file, line);) {
    if (absl::StartsWith(line, "== ")) {
      const std::vector<std::string> title = absl::StrSplit(
          line.substr(3), absl::MaxSplits(absl::ByString(": "), 1));
      cases.push_back({.name = title.at(0), .id = title.at(1), .text = ""});
    } else if (!cases.empty() && !line.empty()) {
      absl::StrAppend(&cases.back().text, line, "\n");
    }
  }
  return cases;
}

TEST(FindContainerId, FindsItInWhatEachRuntimeMakes) {
  const std::vector<Case> cases = Cases();
  EXPECT_GT(cases.size(), 25U);
  for (const auto& [name, id, text] : cases) {
    EXPECT_EQ(FindContainerId(text).value_or("none"), id) << name;
  }
}

TEST(FindContainerId, FindsNoneInAnEmptyFile) {
  EXPECT_EQ(FindContainerId(""), std::nullopt);
}

}  // namespace
}  // namespace pycheck

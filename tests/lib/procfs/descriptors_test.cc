#include "lib/procfs/descriptors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "tests/testing/child_process.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

TEST(FindDescriptors, FindsThoseWithTheLink) {
  const int fd = memfd_create("descriptors-test", MFD_CLOEXEC);
  const auto found = FindDescriptors(*Procfs::Open("/proc"), getpid(),
                                     "/memfd:descriptors-test");
  ASSERT_THAT(found, IsOk());
  EXPECT_THAT(*found, testing::ElementsAre(
                          absl::StrCat("/proc/", getpid(), "/fd/", fd)));
  close(fd);
}

TEST(FindDescriptors, SaysThatAProcessHasEnded) {
  ChildProcess child([](const Channel& channel) { channel.Tell(); });
  const pid_t pid = child.pid();
  child.Reap();
  EXPECT_THAT(FindDescriptors(*Procfs::Open("/proc"), pid, "x"),
              HasCode(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace pycheck

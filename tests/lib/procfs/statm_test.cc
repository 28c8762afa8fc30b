#include "lib/procfs/statm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

TEST(ParseStatm, TakesSizeAndResident) {
  const absl::StatusOr<Statm> statm = ParseStatm("5000 321 99 1 0 200 0\n");
  ASSERT_THAT(statm, IsOk());
  EXPECT_EQ(statm->size_pages, 5000u);
  EXPECT_EQ(statm->resident_pages, 321u);
}

TEST(ParseStatm, ReadsAProcessWithoutAnAddressSpace) {
  EXPECT_EQ(ParseStatm("0 0 0 0 0 0 0\n")->resident_pages, 0u);
}

TEST(ParseStatm, SeesTouchedPagesOfItsOwnProcess) {
  constexpr uint64_t kPages = 1024;
  const auto resident = [] {
    const absl::StatusOr<std::string> text =
        ReadWholeFile("/proc/self/statm", 4096);
    return text.ok() ? ParseStatm(*text)->resident_pages : 0;
  };
  const uint64_t before = resident();
  void* pages =
      mmap(nullptr, kPages * PageSize(), PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
  if (pages == MAP_FAILED) GTEST_SKIP() << "may not lock this much memory";
  EXPECT_GE(resident(), before + kPages * 9 / 10);
  munmap(pages, kPages * PageSize());
}

class MalformedStatm : public testing::TestWithParam<const char*> {};

TEST_P(MalformedStatm, IsRefused) {
  EXPECT_THAT(ParseStatm(GetParam()),
              HasCode(absl::StatusCode::kInvalidArgument));
}

INSTANTIATE_TEST_SUITE_P(ParseStatm, MalformedStatm,
                         testing::Values("", "\n", "1", "1 ", "1 2", " 1 2 3",
                                         "a 2 3", "1 b 3", "-1 2 3", "1 -2 3",
                                         "1  2 3", "18446744073709551616 2 3"));

TEST(PageSize, IsTheKernelsUnit) {
  EXPECT_EQ(PageSize(), static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
}

}  // namespace
}  // namespace pycheck

#include "lib/process/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "lib/base/file.h"
#include "lib/procfs/mem.h"
#include "tests/testing/fake_memory.h"
#include "tests/testing/python_process.h"
#include "tests/testing/reads.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr std::array<std::string_view, 2> kNames = {"DD_SERVICE", "DD_ENV"};

ProcessMemory MemoryOf(pid_t pid) {
  return ProcessMemory(*OpenFile(absl::StrCat("/proc/", pid, "/mem")));
}

std::vector<MappedImage> ImagesOf(pid_t pid) {
  return *ReadMappedImages(
      OpenFile(absl::StrCat("/proc/", pid, "/maps"))->get());
}

absl::StatusOr<Variables> EnvironmentOf(pid_t pid) {
  const ProcessMemory memory = MemoryOf(pid);
  Binaries binaries;
  const absl::StatusOr<uint64_t> environ =
      FindEnviron(memory, ImagesOf(pid), binaries);
  if (!environ.ok()) return environ.status();
  return ReadEnvironment(memory, *environ, kNames);
}

// Starts a Python with more environment.
std::unique_ptr<PythonProcess> Started(
    const Python& python, const std::string& script,
    const std::vector<std::string>& environment) {
  auto process = std::make_unique<PythonProcess>(
      python.root, std::vector<std::string>{python.executable, "-c", script},
      environment);
  process->ReadLine();
  return process;
}

class EnvironmentOfPython : public testing::TestWithParam<Python> {};

TEST_P(EnvironmentOfPython, IsReadFromItsMemoryAndFromItsFile) {
  if (GetParam().executable.empty()) GTEST_SKIP() << "not installed";
  const auto python =
      Started(GetParam(), kWaits,
              {"SECRET=s3cret", "DD_SERVICE=a=b", "DD_SERVICE_MAPPING=no"});
  EXPECT_THAT(EnvironmentOf(python->pid()),
              IsOkAndHolds(ElementsAre(Pair("DD_SERVICE", "a=b"))));
  EXPECT_THAT(
      ReadInitialEnvironment(*Procfs::Open("/proc"), python->pid(), kNames),
      IsOkAndHolds(ElementsAre(Pair("DD_SERVICE", "a=b"))));
}

INSTANTIATE_TEST_SUITE_P(
    , EnvironmentOfPython, testing::ValuesIn(Pythons()),
    [](const auto& python) {
      return absl::StrReplaceAll(python.param.name, {{".", "_"}, {"-", "_"}});
    });

TEST(Environment, HasWhatTheProcessHasSetItself) {
  const auto python = Started(
      AnyPython(),
      absl::StrCat("import os\nos.environ['DD_ENV'] = 'set later'\n", kWaits),
      {"DD_SERVICE=first"});
  EXPECT_THAT(EnvironmentOf(python->pid()),
              IsOkAndHolds(ElementsAre(Pair("DD_ENV", "set later"),
                                       Pair("DD_SERVICE", "first"))));
}

TEST(Environment, IsReadWhereItIsLong) {
  std::vector<std::string> environment;
  for (int i = 0; i < 15; ++i) {
    environment.push_back(
        absl::StrCat("LONG", i, "=", std::string(130'000, 'x')));
  }
  environment.emplace_back("DD_SERVICE=behind\xff");
  const auto python = Started(AnyPython(), kWaits, environment);
  EXPECT_THAT(EnvironmentOf(python->pid()),
              IsOkAndHolds(ElementsAre(Pair("DD_SERVICE", "behind\xff"))));
  EXPECT_THAT(
      ReadInitialEnvironment(*Procfs::Open("/proc"), python->pid(), kNames),
      IsOkAndHolds(ElementsAre(Pair("DD_SERVICE", "behind\xff"))));
}

// An environment in made-up memory: a page of pointers, and one of strings.
class HostileEnvironment : public testing::Test {
 protected:
  static constexpr uint64_t kEnviron = 0x1008;
  static constexpr uint64_t kPointers = 0x2000;
  static constexpr uint64_t kStrings = 0x100000;
  static constexpr size_t kPage = 4096;

  HostileEnvironment() {
    memory_.Map(0x1000, std::string(kPage, '\0'));
    memory_.Map(kPointers, std::string(kPage, '\0'));
    memory_.Map(kStrings, std::string(kPage, '\0'));
    memory_.Put(kEnviron, kPointers);
  }

  absl::StatusOr<Variables> Read() const {
    return ReadEnvironment(memory_, kEnviron, kNames);
  }

  FakeMemory memory_;
};

TEST_F(HostileEnvironment, MayBeEmpty) {
  EXPECT_THAT(Read(), IsOkAndHolds(IsEmpty()));
}

TEST_F(HostileEnvironment, MayLeadAnywhere) {
  for (const uint64_t address : {uint64_t{0}, uint64_t{0x4000}, ~uint64_t{0}}) {
    memory_.Put(kEnviron, address);
    EXPECT_THAT(Read(), HasCode(absl::StatusCode::kFailedPrecondition));
  }
}

TEST_F(HostileEnvironment, MayHavePointersThatLeadAnywhere) {
  memory_.Write(kStrings, "DD_ENV=e");
  memory_.Put(kPointers, ~uint64_t{0});
  memory_.Put(kPointers + 8, uint64_t{0x4000});
  memory_.Put(kPointers + 16, kStrings);
  EXPECT_THAT(Read(), IsOkAndHolds(ElementsAre(Pair("DD_ENV", "e"))));
}

TEST_F(HostileEnvironment, MayHaveStringsWithoutNameValueOrEnd) {
  memory_.Write(kStrings, std::string(kPage, 'x'));
  memory_.Write(kStrings, std::string_view("DD_ENV\0=v\0DD_SERVICE=", 21));
  memory_.Put(kPointers, kStrings);
  memory_.Put(kPointers + 8, kStrings + 7);
  memory_.Put(kPointers + 16, kStrings + 10);
  EXPECT_THAT(Read(), IsOkAndHolds(ElementsAre(
                          Pair("DD_SERVICE", std::string(kPage - 21, 'x')))));
}

TEST_F(HostileEnvironment, MayHaveNoEnd) {
  for (size_t i = 0; i < kPage; i += 8) memory_.Put(kPointers + i, kStrings);
  memory_.Map(kPointers + kPage, std::string(size_t{1} << 17, '\x50'));
  EXPECT_THAT(Read(), HasCode(absl::StatusCode::kFailedPrecondition));
  EXPECT_LE(memory_.reads(), 5000);
}

TEST_F(HostileEnvironment, CountsAVariableOnce) {
  memory_.Write(kStrings, std::string_view("DD_ENV=1\0DD_ENV=2", 17));
  memory_.Put(kPointers, kStrings);
  memory_.Put(kPointers + 8, kStrings + 9);
  EXPECT_THAT(Read(), IsOkAndHolds(ElementsAre(Pair("DD_ENV", "1"))));
}

TEST(Environment, IsEachProcesssOwnByWhatIsKnownOfItsFiles) {
  Binaries binaries;
  std::vector<int64_t> reads;
  for (const std::string value : {"one", "two"}) {
    const auto python = Started(AnyPython(), kWaits, {"DD_ENV=" + value});
    const ProcessMemory memory = MemoryOf(python->pid());
    const std::vector<MappedImage> images = ImagesOf(python->pid());
    const int64_t before = CountReads();
    const absl::StatusOr<uint64_t> environ =
        FindEnviron(memory, images, binaries);
    reads.push_back(CountReads() - before);
    ASSERT_THAT(environ, IsOk());
    EXPECT_THAT(ReadEnvironment(memory, *environ, kNames),
                IsOkAndHolds(testing::Contains(Pair("DD_ENV", value))));
  }
  EXPECT_LT(reads[1], reads[0]);
}

TEST(Environment, SaysThatAProcessHasEnded) {
  PythonProcess python(AnyPython().executable, kWaits);
  python.ReadLine();
  const ProcessMemory memory = MemoryOf(python.pid());
  const std::vector<MappedImage> images = ImagesOf(python.pid());
  Binaries binaries;
  const absl::StatusOr<uint64_t> environ =
      FindEnviron(memory, images, binaries);
  ASSERT_THAT(environ, IsOk());
  python.Kill();
  EXPECT_FALSE(FindEnviron(memory, images, binaries).ok());
  EXPECT_FALSE(ReadEnvironment(memory, *environ, kNames).ok());
}

}  // namespace
}  // namespace pycheck

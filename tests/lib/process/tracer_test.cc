#include "lib/process/tracer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/testing/child_process.h"
#include "tests/testing/memory_file.h"
#include "tests/testing/python_process.h"
#include "tests/testing/temporary_file.h"

namespace pycheck {
namespace {

using nlohmann::json;

// As a tracer's native library writes it.
std::string Packed(const json& metadata) {
  const std::vector<uint8_t> bytes = json::to_msgpack(metadata);
  return {bytes.begin(), bytes.end()};
}

const json kMetadata = {{"schema_version", 1},
                        {"runtime_id", "a633308687c6441c4b02dc7cc4b21dc0"},
                        {"tracer_language", "python"},
                        {"tracer_version", "4.16.0"},
                        {"hostname", "web-1"},
                        {"service_name", "shop"},
                        {"service_env", "prod"},
                        {"service_version", "7"}};

TEST(ParseTracerMetadata, TakesWhatTheTracerSaysOfItself) {
  EXPECT_EQ(ParseTracerMetadata(Packed(kMetadata)),
            (Tracer{.version = "4.16.0",
                    .service = "shop",
                    .env = "prod",
                    .service_version = "7"}));
}

TEST(ParseTracerMetadata, TakesWhatThereIs) {
  EXPECT_EQ(ParseTracerMetadata(Packed(
                {{"tracer_language", "python"}, {"service_env", nullptr}})),
            Tracer());
}

TEST(ParseTracerMetadata, SkipsWhatLaterVersionsAdd) {
  json later = kMetadata;
  later["schema_version"] = 2;
  later["more"] = {{"tracer_version", "0"}, {"list", {1, -2, 2.5, true}}};
  later["service_name_source"] = {"shop"};
  EXPECT_EQ(ParseTracerMetadata(Packed(later))->version, "4.16.0");
}

TEST(ParseTracerMetadata, LeavesOtherLanguagesTracers) {
  json other = kMetadata;
  other["tracer_language"] = "ruby";
  EXPECT_EQ(ParseTracerMetadata(Packed(other)), std::nullopt);
  other.erase("tracer_language");
  EXPECT_EQ(ParseTracerMetadata(Packed(other)), std::nullopt);
}

TEST(ParseTracerMetadata, TakesNothingOfWhatIsNotComplete) {
  const std::string text = Packed(kMetadata);
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(ParseTracerMetadata(text.substr(0, size)), std::nullopt) << size;
  }
  EXPECT_EQ(ParseTracerMetadata(text + "x"), std::nullopt);
}

TEST(ParseTracerMetadata, DoesNotFollowHowDeepItIsNested) {
  constexpr size_t kDepth = 1'000'000;
  EXPECT_EQ(ParseTracerMetadata(std::string(kDepth, '\x91')), std::nullopt);
  EXPECT_EQ(ParseTracerMetadata(std::string(kDepth, '\x81')), std::nullopt);
  json deep = kMetadata;
  deep["deep"] = json::parse("[[[[1]]]]");
  EXPECT_EQ(ParseTracerMetadata(Packed(deep)), std::nullopt);
}

// Does as a tracer does; gives the file.
int LeaveMetadata() {
  return LeaveMemoryFile("datadog-tracer-info-Ab12", Packed(kMetadata));
}

// The beginning of a script: another library stands for one of the tracer's.
std::string LoadsTracersLibrary(const TemporaryDirectory& directory,
                                const std::string& name = "ddtrace/internal") {
  const std::string folder = directory.File(name);
  std::filesystem::create_directories(folder);
  return absl::StrCat("import _ctypes, ctypes, os, shutil\nctypes.CDLL(",
                      "shutil.copy(_ctypes.__file__, '", folder, "/x.so'))\n");
}

class TracerSearchTest : public testing::Test {
 protected:
  const Procfs procfs_ = *Procfs::Open("/proc");
  const Variables wants_ = {{"DD_RUNTIME_METRICS_ENABLED", "true"}};
};

TEST_F(TracerSearchTest, FindsATracerByWhatItLeaves) {
  const ChildProcess child([](const Channel& channel) {
    LeaveMetadata();
    TellAndWait(channel);
  });
  TracerSearch search;
  EXPECT_TRUE(search.Update(procfs_, child.pid(), 1, {}, false));
  ASSERT_TRUE(search.tracer());
  EXPECT_EQ(search.tracer()->version, "4.16.0");
  EXPECT_FALSE(search.tracer()->sends_runtime_metrics);
}

TEST_F(TracerSearchTest, FindsNoneWhereThereIsNone) {
  const ChildProcess child = NamedChild("RuntimeWorker");
  TracerSearch search;
  EXPECT_FALSE(search.Update(procfs_, child.pid(), 1, wants_, false));
  EXPECT_EQ(search.tracer(), std::nullopt);
}

TEST_F(TracerSearchTest, TellsByTheEnvironmentThatItSendsRuntimeMetrics) {
  const ChildProcess child([](const Channel& channel) {
    LeaveMetadata();
    TellAndWait(channel);
  });
  for (const auto& [value, sends] : {std::pair("true", true),
                                     {"True", true},
                                     {"1", true},
                                     {"false", false},
                                     {"0", false},
                                     {"yes", false},
                                     {"", false},
                                     {"2", false}}) {
    TracerSearch search;
    search.Update(procfs_, child.pid(), 1,
                  {{"DD_RUNTIME_METRICS_ENABLED", value}}, false);
    EXPECT_EQ(search.tracer()->sends_runtime_metrics, sends) << value;
  }
}

TEST_F(TracerSearchTest, TellsByItsThreadThatItSendsRuntimeMetrics) {
  const ChildProcess child([](const Channel& channel) {
    LeaveMetadata();
    prctl(PR_SET_NAME, "RuntimeWorker");
    TellAndWait(channel);
  });
  TracerSearch search;
  search.Update(procfs_, child.pid(), 1, {}, false);
  EXPECT_TRUE(search.tracer()->sends_runtime_metrics);
}

TEST_F(TracerSearchTest, LooksAtEveryThread) {
  const ChildProcess child([](const Channel& channel) {
    LeaveMetadata();
    std::thread thread([&] {
      prctl(PR_SET_NAME, "RuntimeWorker");
      TellAndWait(channel);
    });
    thread.join();
  });
  TracerSearch search;
  search.Update(procfs_, child.pid(), 1, {}, false);
  EXPECT_TRUE(search.tracer()->sends_runtime_metrics);
}

TEST_F(TracerSearchTest, PassesOverWhatIsNoMetadata) {
  const ChildProcess child([](const Channel& channel) {
    for (const std::string& text :
         {std::string("nonsense"), std::string(1 << 16, 'x')}) {
      LeaveMemoryFile("datadog-tracer-info-", text);
    }
    LeaveMetadata();
    TellAndWait(channel);
  });
  TracerSearch search;
  EXPECT_TRUE(search.Update(procfs_, child.pid(), 1, {}, false));
  EXPECT_EQ(search.tracer()->version, "4.16.0");
}

TEST_F(TracerSearchTest, LooksLessAndLess) {
  const ChildProcess child([](const Channel& channel) {
    TellAndWait(channel);
    LeaveMetadata();
    TellAndWait(channel);
  });
  TracerSearch search;
  uint64_t size = 0;
  for (int i = 0; i < 70; ++i) {
    EXPECT_FALSE(search.Update(procfs_, child.pid(), ++size, {}, false));
  }
  child.channel().Tell();
  child.channel().Await();
  int readings = 1;
  while (readings < 1000 &&
         !search.Update(procfs_, child.pid(), ++size, {}, false)) {
    ++readings;
  }
  EXPECT_GT(readings, 8);
  EXPECT_LE(readings, 32);
}

TEST_F(TracerSearchTest, LooksAgainForOneThatWasStillBeingLoaded) {
  const TemporaryDirectory directory;
  const std::string script =
      absl::StrCat(LoadsTracersLibrary(directory),
                   "os.write(1, b'\\n')\nos.read(0, 1)\n"
                   "fd = os.memfd_create('datadog-tracer-info-x')\n"
                   "os.write(fd, b'\\x82\\xaftracer_language\\xa6python"
                   "\\xaetracer_version\\xa34.0')\n",
                   kWaits);
  PythonProcess python(AnyPython().executable, script);
  python.ReadLine();
  TracerSearch search;
  EXPECT_TRUE(search.Update(procfs_, python.pid(), 1, wants_, false));
  EXPECT_EQ(search.tracer()->version, "");
  python.Ask("");
  EXPECT_TRUE(search.Update(procfs_, python.pid(), 2, wants_, false));
  EXPECT_EQ(search.tracer()->version, "4.0");
}

TEST_F(TracerSearchTest, LooksAgainOnlyWhenTheProcessHasGrown) {
  const ChildProcess child([](const Channel& channel) {
    TellAndWait(channel);
    LeaveMetadata();
    TellAndWait(channel);
  });
  TracerSearch search;
  EXPECT_FALSE(search.Update(procfs_, child.pid(), 1, {}, false));
  child.channel().Tell();
  child.channel().Await();
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(search.Update(procfs_, child.pid(), 1, {}, false));
  }
  EXPECT_TRUE(search.Update(procfs_, child.pid(), 2, {}, false));
  EXPECT_EQ(search.tracer()->version, "4.16.0");
}

TEST_F(TracerSearchTest, KeepsWhatItHasFound) {
  const ChildProcess child([](const Channel& channel) {
    const int fd = LeaveMetadata();
    TellAndWait(channel);
    close(fd);
    TellAndWait(channel);
  });
  TracerSearch search;
  EXPECT_TRUE(search.Update(procfs_, child.pid(), 1, {}, false));
  child.channel().Tell();
  child.channel().Await();
  EXPECT_FALSE(search.Update(procfs_, child.pid(), 2, {}, false));
  EXPECT_TRUE(search.tracer());
}

// One that leaves nothing, as those before 3.5.
TEST_F(TracerSearchTest, KnowsAnOlderOneByItsLibraryWhereItMatters) {
  const TemporaryDirectory directory;
  PythonProcess python(AnyPython().executable,
                       LoadsTracersLibrary(directory) + kWaits);
  python.ReadLine();
  TracerSearch search;
  EXPECT_FALSE(search.Update(procfs_, python.pid(), 1, {}, false));
  EXPECT_TRUE(search.Update(procfs_, python.pid(), 2, wants_, false));
  EXPECT_TRUE(search.tracer()->sends_runtime_metrics);
  EXPECT_EQ(search.tracer()->version, "");
}

TEST_F(TracerSearchTest, KnowsAnOlderOneByItsLibraryWhereItIsAskedFor) {
  const TemporaryDirectory directory;
  PythonProcess python(AnyPython().executable,
                       LoadsTracersLibrary(directory) + kWaits);
  python.ReadLine();
  TracerSearch search;
  EXPECT_TRUE(search.Update(procfs_, python.pid(), 1, {}, true));
  EXPECT_EQ(search.tracer(), Tracer());
}

TEST_F(TracerSearchTest, TakesNoProjectForATracerThatIsCalledLikeIt) {
  const TemporaryDirectory directory;
  PythonProcess python(AnyPython().executable,
                       LoadsTracersLibrary(directory, "ddtrace") + kWaits);
  python.ReadLine();
  TracerSearch search;
  EXPECT_FALSE(search.Update(procfs_, python.pid(), 1, {}, true));
  EXPECT_TRUE(search.has_looked());
}

TEST_F(TracerSearchTest, LooksAgainWhereThereWasNoDescriptor) {
  const ChildProcess child([](const Channel& channel) {
    LeaveMetadata();
    TellAndWait(channel);
  });
  TracerSearch search;
  rlimit all;
  getrlimit(RLIMIT_NOFILE, &all);
  const rlimit none = {.rlim_cur = 0, .rlim_max = all.rlim_max};
  // A sanitizer wants a descriptor to look at the fixture.
  const Procfs& procfs = procfs_;
  setrlimit(RLIMIT_NOFILE, &none);
  const bool changed = search.Update(procfs, child.pid(), 1, {}, true);
  setrlimit(RLIMIT_NOFILE, &all);
  EXPECT_FALSE(changed);
  EXPECT_FALSE(search.has_looked());
  EXPECT_TRUE(search.Update(procfs_, child.pid(), 1, {}, true));
  EXPECT_TRUE(search.has_looked());
}

}  // namespace
}  // namespace pycheck

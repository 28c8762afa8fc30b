#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/sample/gauges.h"
#include "nlohmann/json.hpp"
#include "tests/testing/command.h"
#include "tests/testing/emulation.h"
#include "tests/testing/python_process.h"

namespace pycheck {
namespace {

using ::testing::AnyOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

CommandResult RunCli(const std::string& arguments) {
  return RunCommand(absl::StrCat(Emulator(), CLI " ", arguments, " 2>&1"));
}

class CliTest : public ::testing::Test {
 protected:
  void SetUp() override { python_.ReadLine(); }

  // A file with this text, which is gone after the test.
  std::string File(const std::string& text) {
    path_ = absl::StrCat(::testing::TempDir(), "/cli_test.", getpid());
    std::ofstream(path_) << text;
    return path_;
  }
  void TearDown() override {
    if (!path_.empty()) unlink(path_.c_str());
  }

  PythonProcess python_{AnyPython().executable, kWaits};

 private:
  std::string path_;
};

TEST_F(CliTest, ShowsAPidAsATable) {
  const CommandResult result =
      RunCli(absl::StrCat("--interval=10ms --pid=", python_.pid()));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, HasSubstr("gen0"));
  EXPECT_THAT(result.output, HasSubstr(absl::StrCat(" ", python_.pid(), " ")));
  EXPECT_THAT(result.output, HasSubstr("python.gc.readable: OK"));
}

TEST_F(CliTest, ShowsWhichPythonItIs) {
  const std::string version =
      LinesOf(AnyPython().executable +
              " -c 'import platform; print(platform.python_version())'")
          .front();
  EXPECT_THAT(
      RunCli(absl::StrCat("--runs=1 --pid=", python_.pid())).output,
      ContainsRegex(absl::StrCat(" ", python_.pid(), " +", version, " ")));
}

TEST_F(CliTest, ShowsWhatItsTracerDoes) {
  EXPECT_THAT(RunCli(absl::StrCat("--runs=1 --pid=", python_.pid())).output,
              ContainsRegex(" python +tracer .*\n.* none "));
  const std::string metadata =
      "import os\n"
      "fd = os.memfd_create('datadog-tracer-info-x')\n"
      "os.write(fd, b'\\x82\\xaftracer_language\\xa6python'\n"
      "             b'\\xaetracer_version\\xa34.0')\n";
  const auto shown = [&](const std::vector<std::string>& environment) {
    PythonProcess traced("", {AnyPython().executable, "-c", metadata + kWaits},
                         environment);
    traced.ReadLine();
    return RunCli(absl::StrCat("--runs=1 --pid=", traced.pid())).output;
  };
  EXPECT_THAT(shown({}), HasSubstr(" 4.0 traces "));
  EXPECT_THAT(shown({"DD_PROFILING_ENABLED=1"}),
              HasSubstr(" 4.0 traces+profiles "));
  EXPECT_THAT(shown({"DD_TRACE_ENABLED=false"}), HasSubstr(" 4.0 off "));
}

// The watched process's own files least of all.
TEST_F(CliTest, OpensNoFileButThoseOfProcAndItsOwnObjects) {
  if (IsEmulated()) GTEST_SKIP() << "the system calls are an emulator's";
  const std::vector<std::string> lines = LinesOf(
      absl::StrCat("ASAN_OPTIONS=detect_leaks=0 strace -f -y -e "
                   "trace=open,openat,openat2 " CLI " --interval=10ms --pid=",
                   python_.pid(), " 2>&1 | grep -F '\"'"));
  size_t opened = 0;
  bool loaded = false;
  for (const std::string& line : lines) {
    // What the loader opens for the command comes before.
    if (line.find("libdatadog-agent-python.so") != std::string::npos) {
      loaded = true;
      continue;
    }
    if (!loaded) continue;
    ++opened;
    // By its path, or beneath a directory that is.
    EXPECT_THAT(line, AnyOf(HasSubstr("\"/proc"), HasSubstr("</proc>"),
                            HasSubstr("</proc/")));
  }
  if (lines.empty()) GTEST_SKIP() << "no process can be traced here";
  EXPECT_GT(opened, 5U);
}

TEST_F(CliTest, GivesAConfigurationsInstancesAsJson) {
  const std::string conf = File(absl::StrCat(
      "init_config:\ninstances:\n- {name: one, pid: ", python_.pid(),
      "}\n- {name: two, pid: ", python_.pid(), "}\n- {name: bad}\n"));
  const CommandResult result =
      RunCli(absl::StrCat("--format=json --interval=10ms --conf=", conf));
  EXPECT_EQ(result.exit_code, 1);
  const auto json = nlohmann::json::parse(result.output);
  // Of each instance's one process, and two of the instance.
  ASSERT_EQ(json["metrics"].size(), 2 * (kGaugeCount + 2));
  EXPECT_EQ(json["metrics"][0]["name"], GaugeDefinitions()[0].name);
  EXPECT_EQ(json["metrics"][0]["check_id"], "python:0");
  EXPECT_EQ(json["metrics"][0]["tags"].back(), "process_name:one");
  EXPECT_EQ(json["metrics"][kGaugeCount]["name"], "python.process.count");
  EXPECT_EQ(json["metrics"][kGaugeCount + 2]["tags"].back(),
            "process_name:two");
  EXPECT_EQ(json["service_checks"][0]["status"], "OK");
  EXPECT_EQ(json["errors"][0]["check_id"], "python:2");
}

TEST_F(CliTest, SaysWhatIsWrongWithItsArguments) {
  const auto expect = [](const std::string& arguments,
                         const std::string& message) {
    const CommandResult result = RunCli(arguments);
    EXPECT_NE(result.exit_code, 0) << arguments;
    EXPECT_THAT(result.output, HasSubstr(message)) << arguments;
  };
  expect("", "give one of --pid=PID and --conf=FILE");
  expect("--pid=1 --conf=x", "give one of --pid=PID and --conf=FILE");
  expect("conf.yaml", "did you mean --conf=conf.yaml?");
  expect("1234", "did you mean --pid=1234?");
  expect("--pid=abc", "\"abc\" is not a number");
  expect("--pid=1 --interval=-5s", "it is from 0s to 24h");
  expect("--help", "such as 500ms or 10s");
  expect("--pid=99999999", "there is no process 99999999");
  expect("--conf=/no/such/file", "/no/such/file");
  expect("--pid=1 --format=xml", "it is table or json");
  expect("--pid=1 --runs=0", "at least one run");
  expect("--pid=1 --library=/no/such.so", "cannot load the check");
  expect(absl::StrCat("--conf=", File("instances: 3")),
         "there is no list of instances");
  expect(absl::StrCat("--conf=", File("instances: [")), "not valid YAML");
}

}  // namespace
}  // namespace pycheck

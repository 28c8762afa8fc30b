// Runs the check by hand, without an Agent: loads the shared object as the
// Agent does, runs it, and prints what the Agent would have got.

#include <cerrno>
#include <climits>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "check/cli/loader.h"
#include "check/cli/recording.h"
#include "lib/base/errno_status.h"
#include "lib/base/file.h"
#include "lib/config/document.h"

ABSL_FLAG(std::vector<std::string>, pid, {},
          "look at these processes: --pid=12,34");
ABSL_FLAG(std::string, conf, "", "look at what this conf.yaml chooses");
ABSL_FLAG(std::string, format, "table", "table or json");
ABSL_FLAG(int, runs, 2,
          "how often to run; the last run is printed. CPU and context switches "
          "of a process are known from the second run on");
ABSL_FLAG(absl::Duration, interval, absl::Seconds(1),
          "how long to wait between two runs, such as 500ms or 10s");
ABSL_FLAG(std::string, library, "",
          "the shared object; by default the one installed or built with this "
          "command");

namespace pycheck {
namespace {

constexpr int kFailure = 1;
constexpr int kUsage = 2;

// The instances of a configuration, as YAML for Run. (JSON is YAML.)
struct Configuration {
  std::string init_config;
  std::vector<std::string> instances;
};

int Complain(const absl::Status& status, int exit_code) {
  std::fprintf(stderr, "python-check: %s\n",
               std::string(status.message()).c_str());
  return exit_code;
}

std::string Dump(const Document& document) {
  return document.dump(-1, ' ', false, Document::error_handler_t::replace);
}

absl::StatusOr<Configuration> FromPids(const std::vector<std::string>& pids) {
  Configuration configuration;
  for (const std::string& pid : pids) {
    if (int number; !absl::SimpleAtoi(pid, &number)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--pid: \"", pid, "\" is not a number; write --pid=12,34"));
    }
    const absl::StatusOr<std::string> name =
        ReadWholeFile(absl::StrCat("/proc/", pid, "/comm"), PATH_MAX);
    if (!name.ok()) {
      return absl::NotFoundError(absl::StrCat("--pid: there is no process ",
                                              pid, " (",
                                              name.status().message(), ")"));
    }
    Document instance;
    instance["name"] = name->substr(0, name->find('\n'));
    instance["pid"] = pid;
    instance["tag_by"] = {"tracer"};
    configuration.instances.push_back(Dump(instance));
  }
  return configuration;
}

absl::StatusOr<Configuration> FromFile(const std::string& path) {
  const absl::StatusOr<std::string> text =
      ReadWholeFile(path, kMaxDocumentBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<Document> document = ParseYaml(*text);
  if (!document.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", document.status().message()));
  }
  if (!document->is_object() || !document->contains("instances") ||
      !document->at("instances").is_array() ||
      document->at("instances").empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path,
                     ": there is no list of instances in it; see "
                     "conf.yaml.example"));
  }
  Configuration configuration;
  configuration.init_config = Dump(document->value("init_config", Document()));
  for (const Document& instance : document->at("instances")) {
    configuration.instances.push_back(Dump(instance));
  }
  return configuration;
}

absl::StatusOr<Configuration> ReadConfiguration() {
  const std::vector<std::string> pids = absl::GetFlag(FLAGS_pid);
  const std::string conf = absl::GetFlag(FLAGS_conf);
  if (pids.empty() == conf.empty()) {
    return absl::InvalidArgumentError(
        "give one of --pid=PID and --conf=FILE; --help shows the rest");
  }
  return conf.empty() ? FromPids(pids) : FromFile(conf);
}

// Built, the command stands in check/cli beside check/native; installed, beside
// the object.
std::string LibraryPath() {
  constexpr char kName[] = "libdatadog-agent-python.so";
  if (std::string given = absl::GetFlag(FLAGS_library); !given.empty()) {
    return given;
  }
  std::error_code error;
  const std::filesystem::path here =
      std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  const std::filesystem::path beside = here / kName;
  return std::filesystem::exists(beside, error)
             ? beside
             : here.parent_path() / "native" / kName;
}

Recording RunAll(const Loader& loader, const Configuration& configuration) {
  Recording recording;
  for (int run = 0; run < absl::GetFlag(FLAGS_runs); ++run) {
    if (run > 0) absl::SleepFor(absl::GetFlag(FLAGS_interval));
    recording = Recording();
    for (size_t i = 0; i < configuration.instances.size(); ++i) {
      loader.Run(absl::StrCat("python:", i), configuration.init_config,
                 configuration.instances[i], recording);
    }
  }
  return recording;
}

void SetUpHelp() {
  absl::FlagsUsageConfig config;
  config.contains_help_flags = [](std::string_view file) {
    return absl::EndsWith(file, "cli/main.cc");
  };
  config.contains_helpshort_flags = config.contains_help_flags;
  config.version_string = [] {
    return std::string("python-check " PYCHECK_VERSION "\n");
  };
  absl::SetFlagsUsageConfig(std::move(config));
  absl::SetProgramUsageMessage(
      "Runs the Datadog Agent's python check by hand, and prints what the "
      "Agent would get.\n\n  python-check --pid=1234\n  python-check "
      "--conf=conf.yaml --format=json");
}

// What is wrong with the options; OK when nothing is.
absl::Status CheckOptions(const std::vector<char*>& rest) {
  if (rest.size() > 1) {
    int number;
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", rest[1], "\" is no option; did you mean --",
        absl::SimpleAtoi(rest[1], &number) ? "pid=" : "conf=", rest[1], "?"));
  }
  const std::string format = absl::GetFlag(FLAGS_format);
  if (format != "table" && format != "json") {
    return absl::InvalidArgumentError(absl::StrCat(
        "--format: \"", format, "\" is not known; it is table or json"));
  }
  if (absl::GetFlag(FLAGS_runs) < 1) {
    return absl::InvalidArgumentError("--runs: at least one run is needed");
  }
  const absl::Duration interval = absl::GetFlag(FLAGS_interval);
  if (interval < absl::ZeroDuration() || interval > absl::Hours(24)) {
    return absl::InvalidArgumentError(
        "--interval: it is from 0s to 24h, such as 500ms or 10s");
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  SetUpHelp();
  const absl::Status options = CheckOptions(absl::ParseCommandLine(argc, argv));
  if (!options.ok()) return Complain(options, kUsage);
  const absl::StatusOr<Configuration> configuration = ReadConfiguration();
  if (!configuration.ok()) return Complain(configuration.status(), kUsage);
  const absl::StatusOr<Loader> loader = Loader::Open(LibraryPath());
  if (!loader.ok()) return Complain(loader.status(), kFailure);

  const Recording recording = RunAll(*loader, *configuration);
  const std::string output = absl::GetFlag(FLAGS_format) == "json"
                                 ? ToJson(recording)
                                 : ToTable(recording);
  if (std::fputs(output.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    return Complain(ErrnoStatus(errno, "cannot write"), kFailure);
  }
  return recording.failures.empty() ? 0 : kFailure;
}

}  // namespace
}  // namespace pycheck

// Without memory it may as well end.
// NOLINTNEXTLINE(bugprone-exception-escape)
int main(int argc, char** argv) { return pycheck::Main(argc, argv); }

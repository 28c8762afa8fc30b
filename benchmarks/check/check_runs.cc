// Runs the check over one process:  check_runs PID RUNS [OPTIONS]
//
// For strace and callgrind, which count what a run does: the difference of two
// numbers of runs. OPTIONS is what follows in the instance, ", tag_by: [ppid]".

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "benchmarks/check/null_sink.h"
#include "lib/check/check.h"
#include "lib/config/document.h"
#include "lib/config/options.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: check_runs PID RUNS [OPTIONS]\n");
    return 2;
  }
  const std::string instance =
      absl::StrCat("{name: app, pid: ", argv[1], argc > 3 ? argv[3] : "", "}");
  const absl::StatusOr<pycheck::Options> options =
      pycheck::ParseOptions(nullptr, *pycheck::ParseYaml(instance));
  if (!options.ok()) {
    std::fprintf(stderr, "check_runs: %s\n",
                 std::string(options.status().message()).c_str());
    return 2;
  }
  absl::StatusOr<pycheck::Check> check =
      pycheck::Check::Create(*options, "/proc");
  pycheck::NullSink sink;
  const int runs = std::atoi(argv[2]);
  for (int run = 0; run < runs; ++run) {
    if (!check.ok() || !check->Collect().ok()) return 1;
    check->Report(sink, /*tagger=*/nullptr);
  }
  return sink.resident_sizes() == runs ? 0 : 1;
}

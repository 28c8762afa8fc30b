// Prints a table of every Python at hand, as it is and stripped: how its
// collector was found, what it says its counts are and what was read, and what
// finding and reading cost.  Exits with 1 when a row is not exact.

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/cpython/interpreter.h"
#include "lib/cpython/structure.h"
#include "lib/cpython/version.h"
#include "tests/testing/process_memory.h"
#include "tests/testing/python_process.h"
#include "tests/testing/stripped_python.h"

ABSL_FLAG(bool, structure, false,
          "find by structure alone, as if no symbol and no layout were known");

namespace pycheck {
namespace {

// Says its version before.
constexpr char kSaysItsVersion[] =
    "import os, platform\n"
    "os.write(1, platform.python_version().encode() + b'\\n')\n";

absl::Duration CpuTime() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return absl::DurationFromTimeval(usage.ru_utime) +
         absl::DurationFromTimeval(usage.ru_stime);
}

// The CPU time that one call takes, of `times`.
absl::Duration Cost(int times, const std::function<void()>& call) {
  const absl::Duration before = CpuTime();
  for (int i = 0; i < times; ++i) call();
  return (CpuTime() - before) / times;
}

struct Found {
  std::string how;
  std::string version;
  absl::StatusOr<GcCounts> counts;
  absl::Duration attach;        // to a binary that was not known
  absl::Duration known_attach;  // to one that was
  absl::Duration reading;
};

Found Find(pid_t pid) {
  constexpr int kTimes = 100;
  const ProcessMemory memory = MemoryOf(pid);
  const std::vector<MappedImage> images = Images(pid);
  Binaries binaries;
  absl::StatusOr<Interpreter> interpreter = absl::UnknownError("");
  Found found;
  found.attach = Cost(kTimes, [&] {
    binaries = Binaries();
    interpreter = Interpreter::Find(memory, images, binaries);
  });
  if (!interpreter.ok()) {
    found.counts = interpreter.status();
    return found;
  }
  if (interpreter->discovery()) found.how = ToString(*interpreter->discovery());
  found.version = absl::StrCat(
      interpreter->has_counts() ? "" : interpreter->implementation(),
      interpreter->version());
  found.known_attach = Cost(kTimes, [&] {
    interpreter = Interpreter::Find(memory, images, binaries);
  });
  found.reading = Cost(10 * kTimes,
                       [&] { found.counts = interpreter->ReadCounts(memory); });
  return found;
}

Found FindByStructure(pid_t pid) {
  const ProcessMemory memory = MemoryOf(pid);
  Found found{.how = "structure",
              .version = "",
              .counts = absl::NotFoundError("nothing found"),
              .attach = {},
              .known_attach = {},
              .reading = {}};
  for (const MappedImage& mapped : Images(pid)) {
    const absl::StatusOr<Image> image = Image::Read(memory, mapped.base);
    if (!image.ok()) continue;
    absl::StatusOr<Location> location = absl::UnknownError("");
    const absl::Duration cost = Cost(10, [&] {
      location = pycheck::FindByStructure(memory, *image,
                                          *TakeDataSnapshots(memory, *image));
    });
    if (!location.ok()) continue;
    const absl::StatusOr<CollectorState> state =
        Locate(memory, mapped.base, *location);
    if (!state.ok()) continue;
    if (found.counts.ok()) {
      found.counts =
          absl::InternalError(absl::StrCat("also found in ", mapped.path));
      return found;
    }
    found.attach = cost;
    found.version = *FindVersion(memory, *image);
    found.reading = Cost(1000, [&] {
      found.counts = ReadGcCounts(memory, state->generations, state->shape);
    });
  }
  return found;
}

std::string Microseconds(absl::Duration duration) {
  return absl::StrFormat("%.1f", absl::ToDoubleMicroseconds(duration));
}

// One row; whether it is exact.
bool PrintRow(const std::string& name, const std::string& variant,
              PythonProcess& process) {
  const std::string version = process.ReadLine();
  const std::string inside = process.ReadLine();
  const Found found = absl::GetFlag(FLAGS_structure)
                          ? FindByStructure(process.pid())
                          : Find(process.pid());
  const std::string outside =
      found.counts.ok() ? absl::StrJoin(*found.counts, " ")
                        : std::string(found.counts.status().message());
  const bool exact =
      !inside.empty() && inside == outside && version == found.version;
  absl::PrintF("%-18s %-9s %-10s %-13s %-10s %-10s %9s %9s %8s  %s\n", name,
               variant, found.version, found.how, inside, outside,
               Microseconds(found.attach), Microseconds(found.known_attach),
               Microseconds(found.reading), exact ? "exact" : "WRONG");
  std::fflush(stdout);
  return exact;
}

bool IsFreeThreaded(const Python& python) {
  return absl::EndsWith(python.name, "t") || absl::EndsWith(python.name, "td");
}

int Main() {
  absl::PrintF("%-18s %-9s %-10s %-13s %-10s %-10s %9s %9s %8s\n", "python", "",
               "version", "found by", "inside", "outside", "new us", "known us",
               "later us");
  int missing = 0;
  int wrong = 0;
  for (const Python& python : Pythons()) {
    if (python.executable.empty()) {
      absl::PrintF("%-18s is not on this machine\n", python.name);
      ++missing;
      continue;
    }
    if (absl::GetFlag(FLAGS_structure) && IsFreeThreaded(python)) continue;
    const std::string script = absl::StrCat(kSaysItsVersion, kKeepsItsCounts);
    PythonProcess plain(python, script);
    if (!PrintRow(python.name, "plain", plain)) ++wrong;
    const StrippedPython stripped(python);
    const auto process = stripped.Start(script);
    if (!PrintRow(python.name, "stripped", *process)) ++wrong;
  }
  absl::PrintF("%d rows wrong, %d Pythons missing\n", wrong, missing);
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace pycheck

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Prints what is read of every Python at hand.");
  absl::ParseCommandLine(argc, argv);
  return pycheck::Main();
}

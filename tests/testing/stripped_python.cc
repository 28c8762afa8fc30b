#include "tests/testing/stripped_python.h"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace pycheck {
namespace {

namespace fs = std::filesystem;

void CopyStripped(const fs::path& from, const fs::path& to) {
  const std::string command = absl::StrCat(
      "strip --strip-all -o '", to.string(), "' '", from.string(), "'");
  if (std::system(command.c_str()) != 0) {
    throw std::runtime_error(absl::StrCat("failed: ", command));
  }
}

}  // namespace

StrippedPython::StrippedPython(const Python& python) : python_(python) {
  folder_ = python.root + "/tmp/pycheck-XXXXXX";
  fs::create_directories(python.root + "/tmp");
  if (mkdtemp(folder_.data()) == nullptr) throw std::runtime_error(folder_);
  const fs::path executable = fs::canonical(python.root + python.executable);
  executable_ = executable.filename();
  CopyStripped(executable, fs::path(folder_) / executable_);
  const fs::path libraries = executable.parent_path().parent_path() / "lib";
  for (const fs::directory_entry& file : fs::directory_iterator(libraries)) {
    const std::string name = file.path().filename();
    if (absl::StartsWith(name, "libpython") &&
        absl::EndsWith(name, ".so.1.0")) {
      CopyStripped(file.path(), fs::path(folder_) / name);
    }
  }
}

StrippedPython::~StrippedPython() { fs::remove_all(folder_); }

std::unique_ptr<PythonProcess> StrippedPython::Start(
    const std::string& script) const {
  const std::string folder = folder_.substr(python_.root.size());
  const fs::path prefix =
      fs::path(python_.executable).parent_path().parent_path();
  return std::make_unique<PythonProcess>(
      python_.root,
      std::vector<std::string>{folder + "/" + executable_, "-c", script},
      std::vector<std::string>{"LD_LIBRARY_PATH=" + folder,
                               "PYTHONHOME=" + prefix.string()});
}

}  // namespace pycheck

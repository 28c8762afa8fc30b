#include "tests/testing/python_process.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace pycheck {
namespace {

// The last of the paths that match.
std::string LastMatch(const std::string& pattern) {
  glob_t found;
  std::string path;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    path = found.gl_pathv[found.gl_pathc - 1];
  }
  globfree(&found);
  return path;
}

std::string PyenvRoot() {
  if (const char* root = std::getenv("PYENV_ROOT")) return root;
  const char* home = std::getenv("HOME");
  return absl::StrCat(home != nullptr ? home : "", "/.pyenv");
}

std::vector<Python> FindPythons() {
  std::vector<Python> pythons;
  for (const char* version : {"3.8", "3.9", "3.10", "3.11", "3.12", "3.13"}) {
    const std::string prefix =
        absl::StrCat(PyenvRoot(), "/versions/", version, ".*/");
    pythons.push_back(
        {.name = version,
         .executable = LastMatch(absl::StrCat(prefix, "bin/python", version)),
         .include =
             LastMatch(absl::StrCat(prefix, "include/python", version))});
  }
  pythons.push_back({.name = "debian",
                     .executable = LastMatch("/usr/bin/python3"),
                     .include = LastMatch("/usr/include/python3.[0-9]*")});
  return pythons;
}

}  // namespace

void PrintTo(const Python& python, std::ostream* stream) {
  *stream << python.executable;
}

const std::vector<Python>& Pythons() {
  static const std::vector<Python> pythons = FindPythons();
  return pythons;
}

const Python& AnyPython() {
  for (const Python& python : Pythons()) {
    if (!python.executable.empty()) return python;
  }
  throw std::runtime_error("no Python on this machine");
}

PythonProcess::PythonProcess(const std::string& executable,
                             const std::string& script,
                             const std::vector<std::string>& arguments) {
  int input[2];
  int output[2];
  if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
    throw std::runtime_error("no pipe");
  }
  std::vector<const char*> argv = {executable.c_str(), "-c", script.c_str()};
  for (const std::string& argument : arguments) {
    argv.push_back(argument.c_str());
  }
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(input[0], STDIN_FILENO);
    dup2(output[1], STDOUT_FILENO);
    execv(argv[0], const_cast<char**>(argv.data()));
    _exit(127);
  }
  input_ = UniqueFd(input[1]);
  output_ = UniqueFd(output[0]);
  close(input[0]);
  close(output[1]);
}

PythonProcess::~PythonProcess() {
  Kill();
  Reap();
}

std::string PythonProcess::ReadLine() {
  std::string line;
  char character;
  while (read(output_.get(), &character, 1) == 1 && character != '\n') {
    line += character;
  }
  return line;
}

std::string PythonProcess::Ask(const std::string& line) {
  WriteLine(line);
  return ReadLine();
}

void PythonProcess::WriteLine(const std::string& line) {
  const std::string text = line + "\n";
  if (write(input_.get(), text.data(), text.size()) < 0) {
    throw std::runtime_error("the process does not listen");
  }
}

void PythonProcess::Kill() {
  if (reaped_) return;
  kill(pid_, SIGKILL);
  siginfo_t ignored;
  waitid(P_PID, static_cast<id_t>(pid_), &ignored, WEXITED | WNOWAIT);
}

void PythonProcess::Reap() {
  if (!reaped_) waitpid(pid_, nullptr, 0);
  reaped_ = true;
}

std::vector<double> Numbers(const std::string& line) {
  std::vector<double> numbers;
  for (const std::string_view word :
       absl::StrSplit(line, ' ', absl::SkipEmpty())) {
    double number;
    if (!absl::SimpleAtod(word, &number)) {
      throw std::runtime_error(absl::StrCat("not a number: ", word));
    }
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace pycheck

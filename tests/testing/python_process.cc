#include "tests/testing/python_process.h"

#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <utility>

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

std::vector<Python> FindLocalPythons() {
  std::vector<Python> pythons;
  for (const char* version :
       {"2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13"}) {
    const std::string prefix =
        absl::StrCat(PyenvRoot(), "/versions/", version, ".*/");
    pythons.push_back(
        {.name = version,
         .executable = LastMatch(absl::StrCat(prefix, "bin/python", version)),
         .include =
             LastMatch(absl::StrCat(prefix, "include/python", version, "*")),
         .root = ""});
  }
  pythons.push_back({.name = "debian",
                     .executable = LastMatch("/usr/bin/python3"),
                     .include = LastMatch("/usr/include/python3.[0-9]*"),
                     .root = ""});
  return pythons;
}

std::string InterpretersFolder() {
  // An empty variable counts as none, as in that command.
  const auto variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
  };
  if (!variable("PYCHECK_INTERPRETERS").empty()) {
    return variable("PYCHECK_INTERPRETERS");
  }
  if (!variable("XDG_CACHE_HOME").empty()) {
    return variable("XDG_CACHE_HOME") + "/pycheck-interpreters";
  }
  return variable("HOME") + "/.cache/pycheck-interpreters";
}

// The names of what tools/interpreters may bring, and what it has brought:
// name, root, executable and headers in the columns of its index.
std::vector<Python> FindBroughtPythons() {
  std::vector<Python> pythons;
  std::ifstream interpreters(INTERPRETERS);
  for (std::string line; std::getline(interpreters, line);) {
    if (line.empty() || line[0] == '#') continue;
    pythons.push_back({.name = line.substr(0, line.find(' ')),
                       .executable = "",
                       .include = "",
                       .root = ""});
  }
  std::ifstream index(absl::StrCat(InterpretersFolder(), "/index"));
  for (std::string line; std::getline(index, line);) {
    const std::vector<std::string> columns = absl::StrSplit(line, '\t');
    if (columns.size() != 4) continue;
    for (Python& python : pythons) {
      if (python.name != columns[0]) continue;
      python.root = columns[1] == "-" ? "" : columns[1];
      python.executable = columns[2];
      python.include = columns[3] == "-" ? "" : columns[3];
    }
  }
  return pythons;
}

std::vector<Python> FindPythons() {
  std::vector<Python> pythons = LocalPythons();
  for (Python& python : FindBroughtPythons()) {
    pythons.push_back(std::move(python));
  }
  return pythons;
}

void WriteFile(const char* path, const std::string& text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (write(fd, text.data(), text.size()) < 0) _exit(126);
  close(fd);
}

// As an ordinary user may too, in a user namespace.
void EnterRoot(const std::string& root) {
  const uid_t user = geteuid();
  if (user != 0) {
    if (unshare(CLONE_NEWUSER) != 0) _exit(126);
    WriteFile("/proc/self/uid_map", absl::StrCat("0 ", user, " 1"));
  }
  if (chroot(root.c_str()) != 0 || chdir("/") != 0) _exit(126);
}

std::vector<std::string> CommandLine(
    const std::string& executable, const std::string& script,
    const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {executable, "-c", script};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

// As execve(2) wants them.
std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& string : strings) {
    pointers.push_back(const_cast<char*>(string.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

void PrintTo(const Python& python, std::ostream* stream) {
  *stream << python.root << python.executable;
}

const std::vector<Python>& Pythons() {
  static const std::vector<Python> pythons = FindPythons();
  return pythons;
}

const std::vector<Python>& LocalPythons() {
  static const std::vector<Python> pythons = FindLocalPythons();
  return pythons;
}

const std::vector<Python>& ModernPythons() {
  static const std::vector<Python> pythons = [] {
    std::vector<Python> modern = LocalPythons();
    modern.erase(std::find_if(modern.begin(), modern.end(),
                              [](const Python& p) { return p.name == "2.7"; }));
    return modern;
  }();
  return pythons;
}

const Python& PythonNamed(std::string_view name) {
  for (const Python& python : Pythons()) {
    if (python.name == name) return python;
  }
  throw std::runtime_error(absl::StrCat("no Python is called ", name));
}

const Python& AnyPython() {
  for (const char* name : {"3.8", "debian"}) {
    if (!PythonNamed(name).executable.empty()) return PythonNamed(name);
  }
  throw std::runtime_error("no Python on this machine");
}

PythonProcess::PythonProcess(const Python& python, const std::string& script,
                             const std::vector<std::string>& arguments)
    : PythonProcess(python.root,
                    CommandLine(python.executable, script, arguments), {}) {}

PythonProcess::PythonProcess(const std::string& executable,
                             const std::string& script,
                             const std::vector<std::string>& arguments)
    : PythonProcess("", CommandLine(executable, script, arguments), {}) {}

PythonProcess::PythonProcess(const std::string& root,
                             const std::vector<std::string>& command,
                             const std::vector<std::string>& environment) {
  int input[2];
  int output[2];
  if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
    throw std::runtime_error("no pipe");
  }
  const std::vector<char*> argv = Pointers(command);
  std::vector<std::string> variables = environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  const std::vector<char*> envp = Pointers(variables);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(input[0], STDIN_FILENO);
    dup2(output[1], STDOUT_FILENO);
    if (!root.empty()) EnterRoot(root);
    execve(argv[0], argv.data(), envp.data());
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

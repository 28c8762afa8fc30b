#ifndef PYCHECK_TESTS_TESTING_PYTHON_PROCESS_H_
#define PYCHECK_TESTS_TESTING_PYTHON_PROCESS_H_

#include <sys/types.h>

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/unique_fd.h"

namespace pycheck {

// A Python of this machine; without a path where it is not installed.
struct Python {
  std::string name;        // "3.8" for pyenv's, "debian" for /usr/bin/python3
  std::string executable;  // empty: not installed
  std::string include;     // the folder that holds Python.h; may be empty
  std::string root;        // where its / is; empty: where ours is
};

// How GoogleTest shows it.
void PrintTo(const Python& python, std::ostream* stream);

// Those that the project reads, installed or not: pyenv's, the machine's own,
// and what tools/interpreters brings.
const std::vector<Python>& Pythons();

// Those of them that need nothing but the machine: each minor version once.
const std::vector<Python>& LocalPythons();

// The same without 2.7, for scripts that need what came later.
const std::vector<Python>& ModernPythons();

// The one with this name.
const Python& PythonNamed(std::string_view name);

// An installed Python of 3.8 or later; the test is meaningless without one.
const Python& AnyPython();

// A live process that runs a Python script, and is killed at the end. A line
// written to it is a line on its standard input.
class PythonProcess {
 public:
  // In the Python's own root, if it has one.
  PythonProcess(const Python& python, const std::string& script,
                const std::vector<std::string>& arguments = {});
  PythonProcess(const std::string& executable, const std::string& script,
                const std::vector<std::string>& arguments = {});

  // Any program, with its arguments and more environment ("NAME=value").
  PythonProcess(const std::string& root,
                const std::vector<std::string>& command,
                const std::vector<std::string>& environment);

  PythonProcess(const PythonProcess&) = delete;
  PythonProcess& operator=(const PythonProcess&) = delete;
  ~PythonProcess();

  pid_t pid() const { return pid_; }

  // The next line that it prints, without its end; empty when it has ended.
  std::string ReadLine();

  // Sends a line and gives the one that is printed in answer.
  std::string Ask(const std::string& line);
  void WriteLine(const std::string& line);

  // Kills it; it stays a zombie until Reap.
  void Kill();
  void Reap();

 private:
  pid_t pid_;
  bool reaped_ = false;
  UniqueFd input_;
  UniqueFd output_;
};

// A script that prints an empty line when it has begun, and another in answer
// to each line, and does nothing else.
inline constexpr char kWaits[] =
    "import os\n"
    "os.write(1, b'\\n')\n"
    "while os.read(0, 1): os.write(1, b'\\n')\n";

// The same; first it forks as many children as its first argument says, which
// wait too.
inline constexpr char kForks[] = R"(
import os, sys
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        os.read(0, 1)
        os._exit(0)
os.write(1, b'\n')
os.read(0, 1)
)";

// A script that prints its counts, as gc.get_count() gives them, when they no
// longer change, and again in answer to a line. (Printing them allocates; from
// the second time on, out of a free list.)
inline constexpr char kKeepsItsCounts[] = R"(
import gc, os
gc.disable()
gc.collect(0); gc.collect(0); gc.collect(1)
kept = [[] for _ in range(500)]
last = None
while True:
    line = b"%d %d %d\n" % gc.get_count()
    if line == last:
        break
    last = line
os.write(1, line)
os.read(0, 1)
os.write(1, b"%d %d %d\n" % gc.get_count())
os.read(0, 1)
)";

// The numbers of a line such as "3 0 12.5".
std::vector<double> Numbers(const std::string& line);

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_PYTHON_PROCESS_H_

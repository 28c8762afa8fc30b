#ifndef PYCHECK_TESTS_TESTING_PYTHON_PROCESS_H_
#define PYCHECK_TESTS_TESTING_PYTHON_PROCESS_H_

#include <sys/types.h>

#include <ostream>
#include <string>
#include <vector>

#include "lib/base/unique_fd.h"

namespace pycheck {

// A Python of this machine; without a path where it is not installed.
struct Python {
  std::string name;        // "3.8" for pyenv's, "debian" for /usr/bin/python3
  std::string executable;  // empty: not installed
  std::string include;     // the folder that holds Python.h; may be empty
};

// How GoogleTest shows it.
void PrintTo(const Python& python, std::ostream* stream);

// Those that the project reads, installed or not.
const std::vector<Python>& Pythons();

// Any installed Python; the test is meaningless without one.
const Python& AnyPython();

// A live process that runs a Python script, and is killed at the end. A line
// written to it is a line on its standard input.
class PythonProcess {
 public:
  PythonProcess(const std::string& executable, const std::string& script,
                const std::vector<std::string>& arguments = {});
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

// The numbers of a line such as "3 0 12.5".
std::vector<double> Numbers(const std::string& line);

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_PYTHON_PROCESS_H_

#ifndef PYCHECK_TESTS_TESTING_STRIPPED_PYTHON_H_
#define PYCHECK_TESTS_TESTING_STRIPPED_PYTHON_H_

#include <memory>
#include <string>

#include "tests/testing/python_process.h"

namespace pycheck {

// A copy of a Python, its executable and its libpython, with all symbols
// stripped but those that the loader needs. Removed at the end.
class StrippedPython {
 public:
  explicit StrippedPython(const Python& python);
  StrippedPython(const StrippedPython&) = delete;
  StrippedPython& operator=(const StrippedPython&) = delete;
  ~StrippedPython();

  // Starts it with a script.
  std::unique_ptr<PythonProcess> Start(const std::string& script) const;

  // Where the copies are, as we see it; and the executable's name there.
  const std::string& folder() const { return folder_; }
  const std::string& executable() const { return executable_; }

 private:
  Python python_;
  std::string folder_;
  std::string executable_;
};

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_STRIPPED_PYTHON_H_

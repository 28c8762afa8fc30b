#ifndef PYCHECK_TESTS_TESTING_COMMAND_H_
#define PYCHECK_TESTS_TESTING_COMMAND_H_

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"

namespace pycheck {

struct CommandResult {
  std::string output;  // what it printed
  int exit_code;
};

// Runs a command of the shell to its end.
inline CommandResult RunCommand(const std::string& command) {
  FILE* const stream = popen(command.c_str(), "r");
  CommandResult result{};
  std::array<char, 512> buffer;
  while (fgets(buffer.data(), buffer.size(), stream) != nullptr) {
    result.output += buffer.data();
  }
  result.exit_code = WEXITSTATUS(pclose(stream));
  return result;
}

inline std::vector<std::string> LinesOf(const std::string& command) {
  return absl::StrSplit(RunCommand(command).output, '\n', absl::SkipEmpty());
}

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_COMMAND_H_

#ifndef PYCHECK_TESTS_TESTING_EMULATION_H_
#define PYCHECK_TESTS_TESTING_EMULATION_H_

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"

namespace pycheck {

// What a command for the shell begins with that runs a program of this build:
// nothing, or the emulator that Meson runs this one under.
inline std::string Emulator() {
  const char* emulator = std::getenv("MESON_EXE_WRAPPER");
  return emulator != nullptr ? absl::StrCat(emulator, " ") : "";
}

// Whether the system calls of this process are an emulator's, and its memory,
// threads and descriptors too.
inline bool IsEmulated() { return !Emulator().empty(); }

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_EMULATION_H_

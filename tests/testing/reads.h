#ifndef PYCHECK_TESTS_TESTING_READS_H_
#define PYCHECK_TESTS_TESTING_READS_H_

#include <cstdint>
#include <fstream>
#include <string>

namespace pycheck {

// How often this process has called read(2) and its like, proc_pid_io(5).
inline int64_t CountReads() {
  std::ifstream io("/proc/self/io");
  std::string key;
  int64_t value = 0;
  while (io >> key >> value && key != "syscr:") continue;
  return value;
}

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_READS_H_

#ifndef PYCHECK_TESTS_TESTING_MEMORY_FILE_H_
#define PYCHECK_TESTS_TESTING_MEMORY_FILE_H_

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

namespace pycheck {

// Leaves a file of memfd_create(2), for which glibc has a function from 2.27
// on; gives its descriptor.
inline int LeaveMemoryFile(const std::string& name, const std::string& text) {
  const int fd =
      static_cast<int>(syscall(SYS_memfd_create, name.c_str(), MFD_CLOEXEC));
  if (write(fd, text.data(), text.size()) < 0) _exit(1);
  return fd;
}

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_MEMORY_FILE_H_

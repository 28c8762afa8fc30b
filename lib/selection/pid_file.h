#ifndef PYCHECK_LIB_SELECTION_PID_FILE_H_
#define PYCHECK_LIB_SELECTION_PID_FILE_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"

namespace pycheck {

// The process id in the first line of a file, read anew. An error, when the
// file cannot be read or holds none, names the file and the remedy.
absl::StatusOr<pid_t> ReadPidFile(const std::string& path);

}  // namespace pycheck

#endif  // PYCHECK_LIB_SELECTION_PID_FILE_H_

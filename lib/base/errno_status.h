#ifndef PYCHECK_LIB_BASE_ERRNO_STATUS_H_
#define PYCHECK_LIB_BASE_ERRNO_STATUS_H_

#include <string_view>

#include "absl/status/status.h"

namespace pycheck {

// The status for an errno: the code that absl::ErrnoToStatusCode gives it, and
// "<what>: <the error's description>". Unlike absl::ErrnoToStatus it keeps
// nothing in memory afterwards, which dlclose(3) would leak. Any thread may
// call it.
absl::Status ErrnoStatus(int error, std::string_view what);

}  // namespace pycheck

#endif  // PYCHECK_LIB_BASE_ERRNO_STATUS_H_

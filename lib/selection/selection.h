#ifndef PYCHECK_LIB_SELECTION_SELECTION_H_
#define PYCHECK_LIB_SELECTION_SELECTION_H_

#include <sys/types.h>

#include <vector>

#include "absl/status/statusor.h"
#include "lib/config/options.h"
#include "lib/procfs/procfs.h"

namespace pycheck {

// The ids of the processes that a selector chooses now, in ascending order.
// That a process has ended is no error: it is not chosen, or found out later.
// A pid file that cannot be read or holds no pid is one, which names the file
// and the remedy.
absl::StatusOr<std::vector<pid_t>> SelectPids(const Selector& selector,
                                              const Procfs& procfs);

}  // namespace pycheck

#endif  // PYCHECK_LIB_SELECTION_SELECTION_H_

#ifndef PYCHECK_TESTS_TESTING_DESCRIPTORS_H_
#define PYCHECK_TESTS_TESTING_DESCRIPTORS_H_

#include "lib/procfs/procfs.h"

namespace pycheck {

// How many descriptors this process has open.
inline size_t CountDescriptors() { return ListIds("/proc/self/fd")->size(); }

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_DESCRIPTORS_H_

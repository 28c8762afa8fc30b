#ifndef PYCHECK_LIB_CPYTHON_LAYOUT_H_
#define PYCHECK_LIB_CPYTHON_LAYOUT_H_

#include <cstdint>

#include "absl/types/span.h"
#include "lib/cpython/generations.h"

namespace pycheck {

// Where a minor version of CPython keeps its collector's generations, counted
// in bytes; from 3.7, the first with a _PyRuntime, to 3.12: later ones say it
// themselves (debug_offsets.h). tools/layout prints a row from the version's
// own internal headers (pycore_runtime.h, pycore_interp.h, pycore_gc.h).
struct Layout {
  uint8_t major;
  uint8_t minor;

  // Whether the generations are in the interpreter's state, or in _PyRuntime.
  bool in_interpreter;

  // sizeof(_PyRuntimeState), which is the size of the symbol _PyRuntime.
  uint32_t runtime_size;

  // From _PyRuntime to the pointer to the main interpreter's state, which is
  // null before that is initialised and after it was finalised.
  uint32_t main_interpreter;

  // To generations[3], from that state or from _PyRuntime.
  uint32_t generations;
  GenerationShape shape;
};

// Every known layout, oldest version first.
absl::Span<const Layout> KnownLayouts();

}  // namespace pycheck

#endif  // PYCHECK_LIB_CPYTHON_LAYOUT_H_

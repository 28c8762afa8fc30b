// Prints the row of lib/cpython/layouts.inc for the CPython whose headers it is
// compiled with: cc -I INCLUDE -I INCLUDE/internal layout.c, then run.

#define Py_BUILD_CORE 1
#include <Python.h>
#include <stddef.h>
#include <stdio.h>

#if PY_VERSION_HEX >= 0x03090000
#include "internal/pycore_interp.h"
#include "internal/pycore_runtime.h"
#define HOLDER PyInterpreterState
#define IN_INTERPRETER "true"
#else
#include "internal/pycore_pystate.h"
#define HOLDER _PyRuntimeState
#define IN_INTERPRETER "false"
#endif

int main(void) {
  printf("{.major = %d, .minor = %d, ", PY_MAJOR_VERSION, PY_MINOR_VERSION);
  printf(".runtime_size = %zu, ", sizeof(_PyRuntimeState));
  printf(".main_interpreter = %zu, ",
         offsetof(_PyRuntimeState, interpreters.main));
  printf(".in_interpreter = %s, ", IN_INTERPRETER);
  printf(".generations = %zu, ", offsetof(HOLDER, gc.generations));
  printf(".generation_size = %zu, ", sizeof(struct gc_generation));
  printf(".threshold = %zu, ", offsetof(struct gc_generation, threshold));
  printf(".count = %zu},\n", offsetof(struct gc_generation, count));
  return 0;
}

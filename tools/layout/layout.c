// Prints the row of lib/cpython/layouts.inc for the CPython whose headers it is
// compiled with, or of lib/cpython/free_threaded_layouts.inc where these are of
// a free-threaded build: cc -I INCLUDE -I INCLUDE/internal layout.c, then run.

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
#if PY_VERSION_HEX >= 0x03080000
#include "internal/pycore_pystate.h"
#else
#include "internal/pystate.h"
#endif
#define HOLDER _PyRuntimeState
#define IN_INTERPRETER "false"
#endif

#ifdef Py_GIL_DISABLED
#if PY_VERSION_HEX >= 0x030e0000
#define GENERATIONS young
#else
#define GENERATIONS generations
#endif
#endif

static void print(const char *name, size_t value) {
  printf(", .%s = %zu", name, value);
}

int main(void) {
  printf("{.major = %d, .minor = %d", PY_MAJOR_VERSION, PY_MINOR_VERSION);
#ifdef Py_GIL_DISABLED
  print("generations", offsetof(struct _gc_runtime_state, GENERATIONS));
#else
  printf(", .in_interpreter = " IN_INTERPRETER);
  print("runtime_size", sizeof(_PyRuntimeState));
  print("main_interpreter", offsetof(_PyRuntimeState, interpreters.main));
  print("generations", offsetof(HOLDER, gc.generations));
  printf(", .shape = {.size = %zu, .threshold = %zu}",
         sizeof(struct gc_generation),
         offsetof(struct gc_generation, threshold));
#endif
  printf("},\n");
  return 0;
}

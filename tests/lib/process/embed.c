// A program that embeds CPython, of which neither its name nor anything that it
// links to says so:  embed SCRIPT LIBRARY...  It begins with an empty line.
// Each line that it reads is a command, with the number of a library, and is
// answered with an empty line:
//
//   load N        loads the library
//   initialise N  its interpreter
//   run N         the script, which prints for itself
//   finalise N    its interpreter

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *libraries[8];

static void *find(int number, const char *name) {
  void *function = dlsym(libraries[number], name);
  if (function == NULL) exit(2);
  return function;
}

static void initialise(int number) {
  void (*function)(int);
  *(void **)&function = find(number, "Py_InitializeEx");
  function(0);
}

static void run(int number, const char *script) {
  int (*function)(const char *, void *);
  *(void **)&function = find(number, "PyRun_SimpleStringFlags");
  function(script, NULL);
}

static void finalise(int number) {
  void (*function)(void);
  *(void **)&function = find(number, "Py_Finalize");
  function();
}

// As unbuffered as the script's own reads.
static int read_line(char *line, size_t size) {
  size_t length = 0;
  while (length + 1 < size && read(STDIN_FILENO, line + length, 1) == 1) {
    if (line[length] == '\n') {
      line[length] = '\0';
      return 1;
    }
    ++length;
  }
  return 0;
}

int main(int argc, char **argv) {
  char line[64];
  if (write(STDOUT_FILENO, "\n", 1) != 1) return 5;
  while (read_line(line, sizeof(line))) {
    char command[32];
    int number;
    if (sscanf(line, "%31s %d", command, &number) != 2) return 3;
    if (number + 2 >= argc) return 3;
    if (strcmp(command, "load") == 0) {
      libraries[number] = dlopen(argv[number + 2], RTLD_NOW | RTLD_LOCAL);
      if (libraries[number] == NULL) return 4;
    } else if (strcmp(command, "initialise") == 0) {
      initialise(number);
    } else if (strcmp(command, "finalise") == 0) {
      finalise(number);
    } else {
      run(number, argv[1]);
      continue;
    }
    if (write(STDOUT_FILENO, "\n", 1) != 1) return 5;
  }
  return 0;
}

// A program that CPython is linked into, without a name that anything else
// could find it by:  embed_static SCRIPT

void Py_InitializeEx(int);
int PyRun_SimpleStringFlags(const char *, void *);
extern int Py_NoSiteFlag __attribute__((weak));

int main(int argc, char **argv) {
  (void)argc;
  // A module of site's may load a libpython of its own.
  if (&Py_NoSiteFlag != (void *)0) Py_NoSiteFlag = 1;
  Py_InitializeEx(0);
  return PyRun_SimpleStringFlags(argv[1], (void *)0);
}

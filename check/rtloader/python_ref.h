#ifndef PYCHECK_CHECK_RTLOADER_PYTHON_REF_H_
#define PYCHECK_CHECK_RTLOADER_PYTHON_REF_H_

#include <Python.h>

#include <memory>

namespace pycheck {

struct DecreaseReference {
  void operator()(PyObject* object) const { Py_DECREF(object); }
};

// Owns a reference; null where a call of Python's API failed and left its
// exception set. Everything here needs the GIL.
using PythonRef = std::unique_ptr<PyObject, DecreaseReference>;

inline PythonRef Import(const char* module) {
  return PythonRef(PyImport_ImportModule(module));
}

inline PythonRef Attribute(PyObject* object, const char* name) {
  return PythonRef(object == nullptr ? nullptr
                                     : PyObject_GetAttrString(object, name));
}

// Imports one of the Agent's builtin modules, or, without an Agent, takes the
// stub that stands for it in datadog-checks-base.
inline PythonRef ImportAgentModule(const char* name) {
  PythonRef module = Import(name);
  if (module || PyErr_ExceptionMatches(PyExc_ImportError) == 0) return module;
  PyErr_Clear();
  return Attribute(Import("datadog_checks.base.stubs").get(), name);
}

// Lets other Python threads run for as long as it lives.
class GilRelease {
 public:
  GilRelease() : state_(PyEval_SaveThread()) {}
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;
  ~GilRelease() { PyEval_RestoreThread(state_); }

 private:
  PyThreadState* state_;
};

}  // namespace pycheck

#endif  // PYCHECK_CHECK_RTLOADER_PYTHON_REF_H_

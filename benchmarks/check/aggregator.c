// The `aggregator` module as the Agent's rtloader has it, for an Agent that
// throws away what it gets: arguments become C's, tags copies of their own.

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>
#include <string.h>

#include "benchmarks/check/null_agent.h"

// A copy of a str, from malloc(3); null where it is none.
static char* CopyText(PyObject* text) {
  if (!PyUnicode_Check(text)) return NULL;
  PyObject* encoded = PyUnicode_AsEncodedString(text, "UTF-8", "strict");
  if (encoded == NULL) {
    PyErr_Clear();
    return NULL;
  }
  char* copy = strdup(PyBytes_AsString(encoded));
  Py_DECREF(encoded);
  return copy;
}

static void FreeTags(char** tags) {
  for (char** tag = tags; *tag != NULL; ++tag) free(*tag);
  free(tags);
}

// Copies of the tags, and a null behind them; null with an exception set.
static char** CopyTags(PyObject* sequence) {
  PyObject* list = PySequence_Fast(sequence, "tags must be a sequence");
  if (list == NULL) return NULL;
  const Py_ssize_t size = PySequence_Size(list);
  char** tags = malloc(((size_t)size + 1) * sizeof(*tags));
  if (tags == NULL) {
    PyErr_NoMemory();
  } else {
    char** end = tags;
    for (Py_ssize_t i = 0; i < size; ++i) {
      PyObject* item = PySequence_GetItem(list, i);
      if (item == NULL) {
        PyErr_Clear();
        continue;
      }
      *end = CopyText(item);
      if (*end != NULL) ++end;
      Py_DECREF(item);
    }
    *end = NULL;
  }
  Py_DECREF(list);
  return tags;
}

static PyObject* SubmitMetric(PyObject* module, PyObject* arguments) {
  (void)module;
  PyObject* check;
  PyObject* tag_list;
  char* check_id;
  char* name;
  char* hostname;
  int type;
  double value;
  int flush_first_value = 0;
  const PyGILState_STATE state = PyGILState_Ensure();
  char** tags = NULL;
  if (PyArg_ParseTuple(arguments, "OsisdOs|i", &check, &check_id, &type, &name,
                       &value, &tag_list, &hostname, &flush_first_value)) {
    tags = CopyTags(tag_list);
  }
  if (tags != NULL) {
    NullAgentSubmitMetric(check_id, type, name, value, tags, hostname,
                          flush_first_value != 0);
    FreeTags(tags);
  }
  PyGILState_Release(state);
  if (tags == NULL) return NULL;
  Py_RETURN_NONE;
}

static PyObject* SubmitServiceCheck(PyObject* module, PyObject* arguments) {
  (void)module;
  PyObject* check;
  PyObject* tag_list;
  char* check_id;
  char* name;
  char* hostname;
  char* message;
  int status;
  const PyGILState_STATE state = PyGILState_Ensure();
  char** tags = NULL;
  if (PyArg_ParseTuple(arguments, "OssiOss", &check, &check_id, &name, &status,
                       &tag_list, &hostname, &message)) {
    tags = CopyTags(tag_list);
  }
  if (tags != NULL) {
    NullAgentSubmitServiceCheck(check_id, name, status, tags, hostname,
                                message);
    FreeTags(tags);
  }
  PyGILState_Release(state);
  if (tags == NULL) return NULL;
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"submit_metric", SubmitMetric, METH_VARARGS, "Throws a metric away."},
    {"submit_service_check", SubmitServiceCheck, METH_VARARGS,
     "Throws a service check away."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "aggregator",
    .m_size = -1,
    .m_methods = methods,
};

// The Agent's types of metrics, in the order of their numbers.
static const char* const kTypes[] = {
    "GAUGE",   "RATE",      "COUNT",     "MONOTONIC_COUNT",
    "COUNTER", "HISTOGRAM", "HISTORATE",
};

PyMODINIT_FUNC PyInit_aggregator(void) {
  PyObject* made = PyModule_Create(&module);
  for (size_t i = 0; made != NULL && i < sizeof(kTypes) / sizeof(*kTypes);
       ++i) {
    if (PyModule_AddIntConstant(made, kTypes[i], (long)i) != 0) {
      Py_CLEAR(made);
    }
  }
  return made;
}

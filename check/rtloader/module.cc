#include "check/rtloader/python_ref.h"
// Python.h comes first.
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "check/rtloader/rtloader_sink.h"
#include "check/rtloader/rtloader_tagger.h"
#include "lib/check/check.h"
#include "lib/config/document.h"
#include "lib/config/options.h"

namespace pycheck {
namespace {

constexpr char kStateAttribute[] = "_state";
constexpr char kCapsuleName[] = "python._state";

// What an instance of the Python class holds, in a capsule. A run shares it, as
// cancel() may come from another thread in the middle of one.
struct State {
  std::mutex mutex;  // held during a run, and never waited for with the GIL
  Check check;
};
using SharedState = std::shared_ptr<State>;

// Raises an exception of datadog_checks.base.errors. A message may show text
// that is not UTF-8.
PyObject* Raise(const char* name, std::string_view message) {
  const PythonRef type =
      Attribute(Import("datadog_checks.base.errors").get(), name);
  if (!type) return nullptr;
  const PythonRef text(PyUnicode_DecodeUTF8(
      message.data(), static_cast<Py_ssize_t>(message.size()), "replace"));
  if (text) PyErr_SetObject(type.get(), text.get());
  return nullptr;
}

// Calls `function`, and turns a C++ exception into a Python one.
template <typename Function>
PyObject* Guarded(const Function& function) noexcept {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  } catch (const std::exception& exception) {
    PyErr_SetString(PyExc_RuntimeError, exception.what());
  } catch (...) {
    PyErr_SetString(PyExc_RuntimeError, "unknown C++ exception");
  }
  return nullptr;
}

void DestroyState(PyObject* capsule) {
  delete static_cast<SharedState*>(PyCapsule_GetPointer(capsule, kCapsuleName));
}

// A configuration as Python has it becomes a document by way of JSON; what JSON
// lacks, such as YAML's dates, becomes text.
absl::StatusOr<Document> ToDocument(PyObject* configuration) {
  const PythonRef dumps = Attribute(Import("json").get(), "dumps");
  if (!dumps) return absl::InternalError("no json module");
  const PythonRef arguments(Py_BuildValue("(O)", configuration));
  const PythonRef keywords(Py_BuildValue(
      "{s:O}", "default", reinterpret_cast<PyObject*>(&PyUnicode_Type)));
  if (!arguments || !keywords) return absl::InternalError("no memory");
  const PythonRef text(
      PyObject_Call(dumps.get(), arguments.get(), keywords.get()));
  if (!text) return absl::InvalidArgumentError("not a configuration");
  const PythonRef bytes(PyUnicode_AsUTF8String(text.get()));
  if (!bytes) return absl::InvalidArgumentError("not a configuration");
  char* data;
  Py_ssize_t size;
  if (PyBytes_AsStringAndSize(bytes.get(), &data, &size) != 0) {
    return absl::InternalError("no bytes");
  }
  return ParseJson(std::string_view(data, static_cast<size_t>(size)));
}

// The Agent's own procfs_path setting, or /proc. Null with an exception set
// when it cannot be asked.
PythonRef AgentProcfsPath() {
  const PythonRef agent = ImportAgentModule("datadog_agent");
  if (!agent) return nullptr;
  PythonRef path(
      PyObject_CallMethod(agent.get(), "get_config", "s", "procfs_path"));
  if (!path) return nullptr;
  if (PyUnicode_Check(path.get()) != 0 && PyUnicode_GetLength(path.get()) > 0) {
    return PythonRef(PyUnicode_AsUTF8String(path.get()));
  }
  return PythonRef(PyBytes_FromString("/proc"));
}

absl::StatusOr<Check> CreateCheck(PyObject* init_config, PyObject* instance,
                                  const std::string& procfs_path) {
  const absl::StatusOr<Document> init_document = ToDocument(init_config);
  if (!init_document.ok()) return init_document.status();
  const absl::StatusOr<Document> instance_document = ToDocument(instance);
  if (!instance_document.ok()) return instance_document.status();
  absl::StatusOr<Options> options =
      ParseOptions(*init_document, *instance_document);
  if (!options.ok()) return options.status();
  return Check::Create(*std::move(options), procfs_path);
}

// __init__(self, name, init_config, instances, ...)
PyObject* Init(PyObject* self, PyObject* args, PyObject* kwargs) {
  return Guarded([&]() -> PyObject* {
    const PythonRef base =
        Attribute(Import("datadog_checks.checks").get(), "AgentCheck");
    const PythonRef base_init = Attribute(base.get(), "__init__");
    if (!base_init) return nullptr;
    const PythonRef self_argument(Py_BuildValue("(O)", self));
    if (!self_argument) return nullptr;
    const PythonRef all_args(PySequence_Concat(self_argument.get(), args));
    if (!all_args) return nullptr;
    const PythonRef done(
        PyObject_Call(base_init.get(), all_args.get(), kwargs));
    if (!done) return nullptr;

    const PythonRef init_config = Attribute(self, "init_config");
    if (!init_config) return nullptr;
    const PythonRef instance = Attribute(self, "instance");
    if (!instance) return nullptr;
    const PythonRef procfs_path = AgentProcfsPath();
    if (!procfs_path) return nullptr;
    const char* path = PyBytes_AsString(procfs_path.get());
    if (path == nullptr) return nullptr;
    absl::StatusOr<Check> check =
        CreateCheck(init_config.get(), instance.get(), path);
    if (!check.ok()) {
      if (PyErr_Occurred() != nullptr) return nullptr;
      return Raise("ConfigurationError", check.status().message());
    }
    auto state = std::make_unique<SharedState>(
        new State{.mutex = {}, .check = *std::move(check)});
    const PythonRef capsule(
        PyCapsule_New(state.get(), kCapsuleName, DestroyState));
    if (!capsule) return nullptr;
    static_cast<void>(state.release());  // the capsule owns it now
    if (PyObject_SetAttrString(self, kStateAttribute, capsule.get()) != 0) {
      return nullptr;
    }
    Py_RETURN_NONE;
  });
}

// The state of `self`; null with an exception set after cancel().
SharedState StateOf(PyObject* self) {
  const PythonRef capsule = Attribute(self, kStateAttribute);
  if (!capsule) return nullptr;
  if (PyCapsule_IsValid(capsule.get(), kCapsuleName) == 0) {
    PyErr_SetString(PyExc_RuntimeError, "this check has been cancelled");
    return nullptr;
  }
  return *static_cast<SharedState*>(
      PyCapsule_GetPointer(capsule.get(), kCapsuleName));
}

// check(self, instance)
PyObject* RunCheck(PyObject* self, PyObject* /*instance*/) {
  return Guarded([&]() -> PyObject* {
    const SharedState state = StateOf(self);
    if (!state) return nullptr;
    absl::Status status;
    std::unique_lock<std::mutex> running(state->mutex, std::defer_lock);
    {
      const GilRelease others_run;
      running.lock();
      status = state->check.Collect();
    }
    RtloaderSink sink(self);
    RtloaderTagger tagger;
    if (sink.ok()) state->check.Report(sink, &tagger);
    if (!sink.ok()) return nullptr;
    if (!status.ok()) return Raise("CheckException", status.message());
    Py_RETURN_NONE;
  });
}

// cancel(self)
PyObject* Cancel(PyObject* self, PyObject* /*unused*/) {
  if (PyObject_SetAttrString(self, kStateAttribute, Py_None) != 0) {
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyMethodDef kMethods[] = {
    {"__init__",
     reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(Init)),
     METH_VARARGS | METH_KEYWORDS, nullptr},
    {"check", RunCheck, METH_O,
     "Reads the processes and submits their gauges."},
    {"cancel", Cancel, METH_NOARGS, "Frees all that the instance holds."},
};

// The class is made the way a class statement makes one, as AgentCheck is
// written in Python and may count on that.
PythonRef MakeClass(PyObject* module) {
  const PythonRef base =
      Attribute(Import("datadog_checks.checks").get(), "AgentCheck");
  const PythonRef module_name = Attribute(module, "__name__");
  if (!base || !module_name) return nullptr;
  PythonRef type(PyObject_CallFunction(
      reinterpret_cast<PyObject*>(&PyType_Type), "s(O){s:s,s:O}", "PythonCheck",
      base.get(), "__doc__",
      "Reads the runtime metrics of Python processes from outside.",
      "__module__", module_name.get()));
  if (!type) return nullptr;
  for (PyMethodDef& method : kMethods) {
    const PythonRef descriptor(PyDescr_NewMethod(
        reinterpret_cast<PyTypeObject*>(type.get()), &method));
    if (!descriptor || PyObject_SetAttrString(type.get(), method.ml_name,
                                              descriptor.get()) != 0) {
      return nullptr;
    }
  }
  return type;
}

int Execute(PyObject* module) {
  const PythonRef type = MakeClass(module);
  if (!type || PyObject_SetAttrString(module, "PythonCheck", type.get()) != 0) {
    return -1;
  }
  return PyModule_AddStringConstant(module, "__version__", PYCHECK_VERSION);
}

PyModuleDef_Slot kSlots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(Execute)},
    {0, nullptr},
};

PyModuleDef kModule = {
    PyModuleDef_HEAD_INIT,
    "python",
    "Datadog Agent check: runtime metrics of Python processes from outside.",
    0,
    nullptr,
    kSlots,
    nullptr,
    nullptr,
    nullptr,
};

}  // namespace
}  // namespace pycheck

PyMODINIT_FUNC PyInit_python() { return PyModuleDef_Init(&pycheck::kModule); }

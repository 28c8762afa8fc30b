#include "check/rtloader/rtloader_sink.h"

#include <string_view>

namespace pycheck {
namespace {

// Text that comes from a process or a file need not be UTF-8.
PythonRef Text(std::string_view text) {
  return PythonRef(PyUnicode_DecodeUTF8(
      text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

}  // namespace

RtloaderSink::RtloaderSink(PyObject* check) : check_(check) {
  const PythonRef aggregator = ImportAgentModule("aggregator");
  if (!aggregator) return;
  check_id_ = Attribute(check, "check_id");
  submit_metric_ = Attribute(aggregator.get(), "submit_metric");
  submit_service_check_ = Attribute(aggregator.get(), "submit_service_check");
  gauge_ = Attribute(aggregator.get(), "GAUGE");
  ok_ = check_id_ && submit_metric_ && submit_service_check_ && gauge_;
}

void RtloaderSink::Gauge(const char* name, double value, const TagSet& tags) {
  if (!ok_) return;
  PyObject* const list = TagList(tags);
  ok_ = list != nullptr &&
        PythonRef(PyObject_CallFunction(submit_metric_.get(), "OOOsdOsO",
                                        check_, check_id_.get(), gauge_.get(),
                                        name, value, list, "", Py_False));
}

void RtloaderSink::ServiceCheck(const char* name, ServiceStatus status,
                                const TagSet& tags,
                                const std::string& message) {
  if (!ok_) return;
  PyObject* const list = TagList(tags);
  const PythonRef text = Text(message);
  ok_ = list != nullptr && text &&
        PythonRef(PyObject_CallFunction(
            submit_service_check_.get(), "OOsiOsO", check_, check_id_.get(),
            name, static_cast<int>(status), list, "", text.get()));
}

void RtloaderSink::Warn(const std::string& message) {
  if (!ok_) return;
  const PythonRef text = Text(message);
  ok_ = text &&
        PythonRef(PyObject_CallMethod(check_, "warning", "O", text.get()));
}

// The gauges of a process come one after another with the same tags.
PyObject* RtloaderSink::TagList(const TagSet& tags) {
  if (listed_ == &tags) return list_.get();
  listed_ = nullptr;
  list_.reset(PyList_New(0));
  if (!list_) return nullptr;
  for (const std::string_view tag : tags.tags()) {
    const PythonRef text = Text(tag);
    if (!text || PyList_Append(list_.get(), text.get()) != 0) return nullptr;
  }
  listed_ = &tags;
  return list_.get();
}

}  // namespace pycheck

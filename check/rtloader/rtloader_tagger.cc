#include "check/rtloader/rtloader_tagger.h"

namespace pycheck {
namespace {

// The constants' names in the module; in the Agent's configuration they are in
// lower case.
const char* NameOf(TagCardinality cardinality) {
  switch (cardinality) {
    case TagCardinality::kLow:
      return "LOW";
    case TagCardinality::kOrchestrator:
      return "ORCHESTRATOR";
    case TagCardinality::kHigh:
      return "HIGH";
  }
  return "LOW";
}

TagCardinality AgentsCardinality() {
  const PythonRef agent = ImportAgentModule("datadog_agent");
  const PythonRef setting(agent ? PyObject_CallMethod(agent.get(), "get_config",
                                                      "s",
                                                      "checks_tag_cardinality")
                                : nullptr);
  PyErr_Clear();
  const auto is = [&](const char* text) {
    return setting && PyUnicode_Check(setting.get()) != 0 &&
           PyUnicode_CompareWithASCIIString(setting.get(), text) == 0;
  };
  if (is("high")) return TagCardinality::kHigh;
  return is("orchestrator") ? TagCardinality::kOrchestrator
                            : TagCardinality::kLow;
}

// The texts in a list; what is not text is left out.
std::vector<std::string> Texts(PyObject* list) {
  std::vector<std::string> texts;
  const Py_ssize_t size = PyList_Check(list) != 0 ? PyList_Size(list) : 0;
  for (Py_ssize_t i = 0; i < size; ++i) {
    PyObject* const item = PyList_GetItem(list, i);
    const PythonRef bytes(item != nullptr && PyUnicode_Check(item) != 0
                              ? PyUnicode_AsUTF8String(item)
                              : nullptr);
    char* data = nullptr;
    Py_ssize_t length = 0;
    if (bytes && PyBytes_AsStringAndSize(bytes.get(), &data, &length) == 0) {
      texts.emplace_back(data, static_cast<size_t>(length));
    }
  }
  return texts;
}

}  // namespace

std::vector<std::string> RtloaderTagger::Tags(
    const std::string& container_id,
    std::optional<TagCardinality> cardinality) {
  if (!tagger_) tagger_ = ImportAgentModule("tagger");
  const PythonRef constant = Attribute(
      tagger_.get(), NameOf(cardinality ? *cardinality : AgentsCardinality()));
  const std::string entity = "container_id://" + container_id;
  const PythonRef tags(constant
                           ? PyObject_CallMethod(tagger_.get(), "tag", "sO",
                                                 entity.c_str(), constant.get())
                           : nullptr);
  std::vector<std::string> texts;
  if (tags) texts = Texts(tags.get());
  PyErr_Clear();
  return texts;
}

}  // namespace pycheck

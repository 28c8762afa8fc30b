#include "check/rtloader/rtloader_tagger.h"
// Python.h comes first.
#include "absl/strings/ascii.h"

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

// What is not text is left out.
void AddText(PyObject* item, std::vector<std::string>& texts) {
  const PythonRef bytes(
      PyUnicode_Check(item) != 0 ? PyUnicode_AsUTF8String(item) : nullptr);
  char* data = nullptr;
  Py_ssize_t length = 0;
  if (bytes && PyBytes_AsStringAndSize(bytes.get(), &data, &length) == 0) {
    texts.emplace_back(data, static_cast<size_t>(length));
  }
  PyErr_Clear();
}

std::vector<std::string> Texts(PyObject* list) {
  std::vector<std::string> texts;
  const Py_ssize_t size = PyList_Check(list) != 0 ? PyList_Size(list) : 0;
  for (Py_ssize_t i = 0; i < size; ++i) {
    PyObject* const item = PyList_GetItem(list, i);
    if (item != nullptr) AddText(item, texts);
  }
  PyErr_Clear();
  return texts;
}

// As the Agent reads its setting; nothing where that says that there are to be
// no tags.
std::optional<TagCardinality> AgentsCardinality() {
  const PythonRef agent = ImportAgentModule("datadog_agent");
  const PythonRef setting(agent ? PyObject_CallMethod(agent.get(), "get_config",
                                                      "s",
                                                      "checks_tag_cardinality")
                                : nullptr);
  std::vector<std::string> texts;
  if (setting) AddText(setting.get(), texts);
  PyErr_Clear();
  const std::string name =
      texts.empty() ? "" : absl::AsciiStrToLower(texts.front());
  if (name == "none") return std::nullopt;
  if (name == "high") return TagCardinality::kHigh;
  return name == "orchestrator" || name == "orch"
             ? TagCardinality::kOrchestrator
             : TagCardinality::kLow;
}

}  // namespace

std::vector<std::string> RtloaderTagger::Tags(
    const std::string& container_id,
    std::optional<TagCardinality> cardinality) {
  if (!cardinality) cardinality = AgentsCardinality();
  if (!cardinality) return {};
  if (!tagger_) tagger_ = ImportAgentModule("tagger");
  std::vector<std::string> texts;
  const PythonRef constant = Attribute(tagger_.get(), NameOf(*cardinality));
  if (constant) {
    const std::string entity = "container_id://" + container_id;
    const PythonRef tags(PyObject_CallMethod(tagger_.get(), "tag", "sO",
                                             entity.c_str(), constant.get()));
    if (tags) texts = Texts(tags.get());
  }
  PyErr_Clear();
  return texts;
}

}  // namespace pycheck

#ifndef PYCHECK_CHECK_RTLOADER_RTLOADER_TAGGER_H_
#define PYCHECK_CHECK_RTLOADER_RTLOADER_TAGGER_H_

#include "check/rtloader/python_ref.h"
// Python.h comes first.
#include <optional>
#include <string>
#include <vector>

#include "lib/sink/container_tagger.h"

namespace pycheck {

// The Agent's `tagger` module, which is imported when it is first asked. One
// that fails knows of no container: gauges without its tags are better than
// none. Needs the GIL throughout.
class RtloaderTagger : public ContainerTagger {
 public:
  std::vector<std::string> Tags(
      const std::string& container_id,
      std::optional<TagCardinality> cardinality) override;

 private:
  PythonRef tagger_;
};

}  // namespace pycheck

#endif  // PYCHECK_CHECK_RTLOADER_RTLOADER_TAGGER_H_

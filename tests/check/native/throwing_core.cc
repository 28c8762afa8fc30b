// Stands in the core's place, and throws.

#include <stdexcept>

#include "lib/check/check.h"

namespace pycheck {

absl::StatusOr<Check> Check::Create(Options options,
                                    const std::string& /*default_procfs*/) {
  if (options.name == "an int") throw 42;  // NOLINT
  throw std::runtime_error("the core threw");
}

absl::Status Check::Collect() { return absl::OkStatus(); }

void Check::Report(MetricSink& /*sink*/, ContainerTagger* /*tagger*/) {}

}  // namespace pycheck

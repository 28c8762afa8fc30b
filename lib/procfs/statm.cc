#include "lib/procfs/statm.h"

#include <unistd.h>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"

namespace pycheck {

absl::StatusOr<Statm> ParseStatm(std::string_view text) {
  Statm statm;
  const size_t first = text.find(' ');
  if (first != std::string_view::npos) {
    const size_t second = text.find(' ', first + 1);
    if (second != std::string_view::npos &&
        absl::SimpleAtoi(text.substr(0, first), &statm.size_pages) &&
        absl::SimpleAtoi(text.substr(first + 1, second - first - 1),
                         &statm.resident_pages)) {
      return statm;
    }
  }
  return absl::InvalidArgumentError("malformed statm");
}

uint64_t PageSize() {
  static const auto size = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return size;
}

}  // namespace pycheck

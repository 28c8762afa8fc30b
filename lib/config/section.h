#ifndef PYCHECK_LIB_CONFIG_SECTION_H_
#define PYCHECK_LIB_CONFIG_SECTION_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "lib/config/document.h"

namespace pycheck {

// A section of the configuration, read option by option. An option that is not
// given, or given as nothing, has its default. An error is kInvalidArgument;
// its message, for the person who wrote the file, names the section, the
// option, the value and, as the caller words it, the remedy. The document must
// outlive it.
class Section {
 public:
  // `name` is what errors call it.
  Section(std::string_view name, const Document& document)
      : name_(name), document_(document) {}

  // An error unless it is a set of options, all of them known or accepted. An
  // error proposes a known one.
  absl::Status CheckKeys(
      absl::Span<const std::string_view> known,
      absl::Span<const std::string_view> accepted = {}) const;

  // The option's value, or null.
  const Document* Find(std::string_view option) const;

  // Text that is not empty, or by default an empty one.
  absl::StatusOr<std::string> String(std::string_view option,
                                     std::string_view remedy) const;

  // A list of such texts; by default there are none in it.
  absl::StatusOr<std::vector<std::string>> Strings(
      std::string_view option, std::string_view remedy) const;

  absl::StatusOr<bool> Flag(std::string_view option, bool unset) const;

  // A whole number of at least 1 and at most `most`, or one in a text.
  absl::StatusOr<int64_t> Number(std::string_view option, int64_t unset,
                                 int64_t most, std::string_view remedy) const;

  // A number of seconds above 0.
  absl::StatusOr<absl::Duration> Seconds(std::string_view option,
                                         absl::Duration unset) const;

  // The error for an option that is given.
  absl::Status Error(std::string_view option, std::string_view remedy) const;

  // The error for the section as a whole.
  absl::Status Error(std::string_view problem) const;

 private:
  std::string_view name_;
  const Document& document_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_CONFIG_SECTION_H_

#ifndef PYCHECK_TESTS_TESTING_PATTERNS_H_
#define PYCHECK_TESTS_TESTING_PATTERNS_H_

#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/config/criteria.h"

namespace pycheck {

// A word that no process outside this test has in its name or arguments.
inline std::string Unique(std::string_view word) {
  return absl::StrCat(word, getpid());
}

inline std::vector<Pattern> Patterns(const std::vector<std::string>& texts) {
  std::vector<Pattern> patterns;
  patterns.reserve(texts.size());
  for (const std::string& text : texts) {
    patterns.push_back(std::make_shared<const re2::RE2>(text));
  }
  return patterns;
}

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_PATTERNS_H_

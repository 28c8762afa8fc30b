#ifndef PYCHECK_TESTS_TESTING_PATTERNS_H_
#define PYCHECK_TESTS_TESTING_PATTERNS_H_

#include <memory>
#include <string>
#include <vector>

#include "lib/config/criteria.h"

namespace pycheck {

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

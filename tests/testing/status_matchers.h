#ifndef PYCHECK_TESTS_TESTING_STATUS_MATCHERS_H_
#define PYCHECK_TESTS_TESTING_STATUS_MATCHERS_H_

#include <gmock/gmock.h>

#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace pycheck {

inline const absl::Status& StatusOf(const absl::Status& status) {
  return status;
}
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

template <typename Result>
using ValueOf = typename std::decay_t<Result>::value_type;

// Each takes an absl::Status or an absl::StatusOr.
MATCHER(IsOk, negation ? "is an error" : "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

MATCHER_P(HasCode, code,
          absl::StrCat(negation ? "is not " : "is ",
                       absl::StatusCodeToString(code))) {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code;
}

// `message` is the whole message, or a matcher of it.
MATCHER_P2(StatusIs, code, message,
           absl::StrCat(negation ? "is not " : "is ",
                        absl::StatusCodeToString(code), " with a message that ",
                        testing::DescribeMatcher<std::string>(message))) {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code &&
         testing::Matches(message)(std::string(StatusOf(arg).message()));
}

// Takes an absl::StatusOr; `matcher` is its value, or a matcher of it.
MATCHER_P(IsOkAndHolds, matcher,
          absl::StrCat(negation ? "is an error or has no value that " : "",
                       testing::DescribeMatcher<ValueOf<arg_type>>(matcher))) {
  if (!arg.ok()) {
    *result_listener << arg.status().ToString();
    return false;
  }
  return testing::ExplainMatchResult(matcher, *arg, result_listener);
}

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_STATUS_MATCHERS_H_

#ifndef PYCHECK_CHECK_CLI_RECORDING_H_
#define PYCHECK_CHECK_CLI_RECORDING_H_

#include <string>
#include <vector>

namespace pycheck {

// What an Agent would have got from runs of the check.
struct Recording {
  struct Gauge {
    std::string check_id;
    std::string name;
    double value;
    std::vector<std::string> tags;
  };
  struct ServiceCheck {
    std::string check_id;
    std::string name;
    int status;
    std::vector<std::string> tags;
    std::string message;
  };
  struct Failure {
    std::string check_id;
    std::string message;
  };

  std::vector<Gauge> gauges;
  std::vector<ServiceCheck> service_checks;
  std::vector<Failure> failures;
};

// As a JSON object with the lists "metrics", "service_checks" and "errors".
std::string ToJson(const Recording& recording);

// For a person: a row for each process, its gauges in columns, then what there
// is to know besides. A dash stands for a gauge that is absent.
std::string ToTable(const Recording& recording);

}  // namespace pycheck

#endif  // PYCHECK_CHECK_CLI_RECORDING_H_

#ifndef PYCHECK_LIB_SAMPLE_GAUGES_H_
#define PYCHECK_LIB_SAMPLE_GAUGES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "lib/process/reading.h"

namespace pycheck {

// Two readings of one process; `before` is null at its first.
struct Interval {
  const Reading* before;
  const Reading& now;
};

// A gauge: its name in Datadog, and how its value comes out of an interval;
// nothing where it cannot be told.
struct GaugeDefinition {
  const char* name;
  std::optional<double> (*value)(const Interval& interval);
};

inline constexpr size_t kGaugeCount = 10;

// The gauges in the order in which they are sent. Units are in the README.
const std::array<GaugeDefinition, kGaugeCount>& GaugeDefinitions();

// The values of one process, in the order of GaugeDefinitions().
using Gauges = std::array<std::optional<double>, kGaugeCount>;
Gauges ComputeGauges(const Interval& interval);

// The reading that a process would have given when it was born at
// `start_ticks` (proc_pid_stat(5), starttime): from it differences are counted
// for one that was born since the last run. A start is cut to a whole tick, so
// the time since then is never too short.
Reading ReadingAtBirth(uint64_t start_ticks);

}  // namespace pycheck

#endif  // PYCHECK_LIB_SAMPLE_GAUGES_H_

#include "lib/sample/gauges.h"

#include "lib/procfs/stat.h"

namespace pycheck {
namespace {

constexpr double kNanosecondsPerSecond = 1e9;

// What a counter has grown by. A counter that went back is not a difference.
template <typename T>
std::optional<double> Growth(T before, T now) {
  if (now < before) return std::nullopt;
  return static_cast<double>(now - before);
}

std::optional<double> Divided(std::optional<double> value, double by) {
  if (!value) return std::nullopt;
  return *value / by;
}

std::optional<double> TickSeconds(const Interval& interval,
                                  uint64_t Reading::*ticks) {
  if (interval.before == nullptr) return std::nullopt;
  return Divided(Growth(interval.before->*ticks, interval.now.*ticks),
                 static_cast<double>(TicksPerSecond()));
}

std::optional<double> CpuTimeSystem(const Interval& interval) {
  return TickSeconds(interval, &Reading::system_ticks);
}

std::optional<double> CpuTimeUser(const Interval& interval) {
  return TickSeconds(interval, &Reading::user_ticks);
}

// CPU seconds by the clock, or by the ticks where there is no clock.
std::optional<double> CpuSeconds(const Interval& interval) {
  if (interval.before == nullptr) return std::nullopt;
  if (interval.before->cpu_ns && interval.now.cpu_ns) {
    return Divided(Growth(*interval.before->cpu_ns, *interval.now.cpu_ns),
                   kNanosecondsPerSecond);
  }
  const std::optional<double> system = CpuTimeSystem(interval);
  const std::optional<double> user = CpuTimeUser(interval);
  if (!system || !user) return std::nullopt;
  return *system + *user;
}

std::optional<double> CpuPercent(const Interval& interval) {
  const std::optional<double> cpu = CpuSeconds(interval);
  if (!cpu) return std::nullopt;
  const int64_t wall_ns = interval.now.boot_ns - interval.before->boot_ns;
  if (wall_ns <= 0) return std::nullopt;
  return 100 * *cpu / (static_cast<double>(wall_ns) / kNanosecondsPerSecond);
}

std::optional<double> Switches(const Interval& interval,
                               uint64_t ContextSwitches::*kind) {
  if (interval.before == nullptr || !interval.before->switches ||
      !interval.now.switches) {
    return std::nullopt;
  }
  return Growth((*interval.before->switches).*kind,
                (*interval.now.switches).*kind);
}

std::optional<double> VoluntarySwitches(const Interval& interval) {
  return Switches(interval, &ContextSwitches::voluntary);
}

std::optional<double> InvoluntarySwitches(const Interval& interval) {
  return Switches(interval, &ContextSwitches::involuntary);
}

template <size_t kGeneration>
std::optional<double> GcCount(const Interval& interval) {
  if (!interval.now.gc_counts) return std::nullopt;
  return (*interval.now.gc_counts)[kGeneration];
}

std::optional<double> ResidentBytes(const Interval& interval) {
  return static_cast<double>(interval.now.resident_bytes);
}

std::optional<double> ThreadCount(const Interval& interval) {
  return static_cast<double>(interval.now.thread_count);
}

constexpr std::array<GaugeDefinition, kGaugeCount> kDefinitions = {{
    {"runtime.python.cpu.time.sys", CpuTimeSystem},
    {"runtime.python.cpu.time.user", CpuTimeUser},
    {"runtime.python.cpu.percent", CpuPercent},
    {"runtime.python.cpu.ctx_switch.voluntary", VoluntarySwitches},
    {"runtime.python.cpu.ctx_switch.involuntary", InvoluntarySwitches},
    {"runtime.python.gc.count.gen0", GcCount<0>},
    {"runtime.python.gc.count.gen1", GcCount<1>},
    {"runtime.python.gc.count.gen2", GcCount<2>},
    {"runtime.python.mem.rss", ResidentBytes},
    {"runtime.python.thread_count", ThreadCount},
}};

}  // namespace

const std::array<GaugeDefinition, kGaugeCount>& GaugeDefinitions() {
  return kDefinitions;
}

Gauges ComputeGauges(const Interval& interval) {
  Gauges gauges;
  for (size_t i = 0; i < gauges.size(); ++i) {
    gauges[i] = kDefinitions[i].value(interval);
  }
  return gauges;
}

Reading ReadingAtBirth(uint64_t start_ticks) {
  Reading birth;
  const auto ticks = static_cast<uint64_t>(TicksPerSecond());
  birth.boot_ns =
      static_cast<int64_t>(start_ticks / ticks * 1'000'000'000 +
                           start_ticks % ticks * 1'000'000'000 / ticks);
  birth.cpu_ns = 0;
  birth.switches = ContextSwitches{};
  return birth;
}

}  // namespace pycheck

#include "lib/sample/gauges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <string>

#include "lib/procfs/stat.h"

namespace pycheck {
namespace {

using testing::DoubleEq;
using testing::Eq;
using testing::Optional;

constexpr int64_t kSecond = 1'000'000'000;

// Two readings, ten seconds apart.
Reading Before() {
  return {.boot_ns = 100 * kSecond,
          .user_ticks = 1'000,
          .system_ticks = 500,
          .cpu_ns = 15 * kSecond,
          .switches = ContextSwitches{.voluntary = 50, .involuntary = 7},
          .resident_bytes = 1 << 20,
          .thread_count = 9,
          .gc_counts = GcCounts{1, 1, 1},
          .parent = 1,
          .comm = "python",
          .user = std::nullopt};
}

Reading Now() {
  const auto ticks = static_cast<uint64_t>(TicksPerSecond());
  return {.boot_ns = 110 * kSecond,
          .user_ticks = 1'000 + 3 * ticks,
          .system_ticks = 500 + ticks / 2,
          .cpu_ns = 15 * kSecond + 4 * kSecond,
          .switches = ContextSwitches{.voluntary = 80, .involuntary = 8},
          .resident_bytes = 50 << 20,
          .thread_count = 5,
          .gc_counts = GcCounts{699, 8, 0},
          .parent = 1,
          .comm = "python",
          .user = std::nullopt};
}

std::optional<double> Gauge(const std::string& name, const Interval& interval) {
  const Gauges gauges = ComputeGauges(interval);
  for (size_t i = 0; i < gauges.size(); ++i) {
    if (GaugeDefinitions()[i].name == "runtime.python." + name) {
      return gauges[i];
    }
  }
  ADD_FAILURE() << "no gauge " << name;
  return std::nullopt;
}

TEST(GaugeDefinitions, AreTheTracersTenNames) {
  std::vector<std::string> names;
  for (const GaugeDefinition& gauge : GaugeDefinitions()) {
    names.emplace_back(gauge.name);
  }
  EXPECT_THAT(
      names, testing::ElementsAre(
                 "runtime.python.cpu.time.sys", "runtime.python.cpu.time.user",
                 "runtime.python.cpu.percent",
                 "runtime.python.cpu.ctx_switch.voluntary",
                 "runtime.python.cpu.ctx_switch.involuntary",
                 "runtime.python.gc.count.gen0", "runtime.python.gc.count.gen1",
                 "runtime.python.gc.count.gen2", "runtime.python.mem.rss",
                 "runtime.python.thread_count"));
}

TEST(ComputeGauges, TakesDifferencesAndLevels) {
  const Reading before = Before();
  EXPECT_THAT(
      ComputeGauges({&before, Now()}),
      testing::ElementsAre(
          Optional(DoubleEq(0.5)), Optional(DoubleEq(3)),
          Optional(DoubleEq(40)), Optional(DoubleEq(30)), Optional(DoubleEq(1)),
          Optional(DoubleEq(699)), Optional(DoubleEq(8)), Optional(DoubleEq(0)),
          Optional(DoubleEq(50 << 20)), Optional(DoubleEq(5))));
}

TEST(ComputeGauges, GivesNoDifferenceAtTheFirstReading) {
  EXPECT_THAT(ComputeGauges({nullptr, Now()}),
              testing::ElementsAre(
                  Eq(std::nullopt), Eq(std::nullopt), Eq(std::nullopt),
                  Eq(std::nullopt), Eq(std::nullopt), Optional(DoubleEq(699)),
                  Optional(DoubleEq(8)), Optional(DoubleEq(0)),
                  Optional(DoubleEq(50 << 20)), Optional(DoubleEq(5))));
}

TEST(ComputeGauges, GivesZeroForAnIdleProcess) {
  const Reading before = Before();
  Reading now = Before();
  now.boot_ns += kSecond;
  const Gauges gauges = ComputeGauges({&before, now});
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_THAT(gauges[i], Optional(DoubleEq(0))) << GaugeDefinitions()[i].name;
  }
}

TEST(CpuPercent, PassesAHundredOnSeveralCpus) {
  const Reading before = Before();
  Reading now = Now();
  now.cpu_ns = *before.cpu_ns + 35 * kSecond;
  EXPECT_THAT(Gauge("cpu.percent", {&before, now}), Optional(DoubleEq(350)));
}

TEST(CpuPercent, ComesFromTicksWhereThereIsNoClockOnBothSides) {
  Reading before = Before();
  before.cpu_ns = std::nullopt;
  EXPECT_THAT(Gauge("cpu.percent", {&before, Now()}), Optional(DoubleEq(35)));
  before = Before();
  Reading now = Now();
  now.cpu_ns = std::nullopt;
  EXPECT_THAT(Gauge("cpu.percent", {&before, now}), Optional(DoubleEq(35)));
}

TEST(CpuPercent, IsLeftOutWhereNoTimePassed) {
  const Reading before = Before();
  for (const int64_t boot_ns : {before.boot_ns, before.boot_ns - 1}) {
    Reading now = Now();
    now.boot_ns = boot_ns;
    EXPECT_EQ(Gauge("cpu.percent", {&before, now}), std::nullopt);
  }
}

TEST(CpuPercent, IsLeftOutWhereTheClockWentBack) {
  const Reading before = Before();
  Reading now = Now();
  now.cpu_ns = *before.cpu_ns - 1;
  EXPECT_EQ(Gauge("cpu.percent", {&before, now}), std::nullopt);
}

TEST(CpuTime, IsLeftOutWhereItsCounterWentBack) {
  const Reading before = Before();
  Reading now = Now();
  now.user_ticks = before.user_ticks - 1;
  EXPECT_EQ(Gauge("cpu.time.user", {&before, now}), std::nullopt);
  EXPECT_THAT(Gauge("cpu.time.sys", {&before, now}), Optional(DoubleEq(0.5)));
}

TEST(ContextSwitchGauges, AreLeftOutWhereOneReadingHasNone) {
  Reading before = Before();
  Reading now = Now();
  now.switches = std::nullopt;
  EXPECT_EQ(Gauge("cpu.ctx_switch.voluntary", {&before, now}), std::nullopt);
  before.switches = std::nullopt;
  EXPECT_EQ(Gauge("cpu.ctx_switch.involuntary", {&before, Now()}),
            std::nullopt);
}

TEST(ContextSwitchGauges, AreLeftOutOneByOneWhereACounterWentBack) {
  const Reading before = Before();
  Reading now = Now();
  now.switches->voluntary = 49;
  EXPECT_EQ(Gauge("cpu.ctx_switch.voluntary", {&before, now}), std::nullopt);
  EXPECT_THAT(Gauge("cpu.ctx_switch.involuntary", {&before, now}),
              Optional(DoubleEq(1)));
}

TEST(GcCountGauges, AreLeftOutWhereThereAreNone) {
  const Reading before = Before();
  Reading now = Now();
  now.gc_counts = std::nullopt;
  for (const char* name : {"gc.count.gen0", "gc.count.gen1", "gc.count.gen2"}) {
    EXPECT_EQ(Gauge(name, {&before, now}), std::nullopt);
  }
}

TEST(ComputeGauges, TakesCountersNearTheirEnd) {
  Reading before = Before();
  Reading now = Now();
  before.user_ticks = std::numeric_limits<uint64_t>::max() -
                      static_cast<uint64_t>(TicksPerSecond());
  now.user_ticks = std::numeric_limits<uint64_t>::max();
  EXPECT_THAT(Gauge("cpu.time.user", {&before, now}), Optional(DoubleEq(1)));
}

TEST(ReadingAtBirth, HasUsedNothing) {
  const Reading birth = ReadingAtBirth(12'345);
  EXPECT_EQ(birth.user_ticks, 0u);
  EXPECT_EQ(birth.system_ticks, 0u);
  EXPECT_EQ(birth.cpu_ns, 0);
  ASSERT_TRUE(birth.switches);
  EXPECT_EQ(birth.switches->voluntary, 0u);
  EXPECT_EQ(birth.switches->involuntary, 0u);
}

TEST(ReadingAtBirth, CountsFromTheStartOfTheProcess) {
  const auto ticks = static_cast<uint64_t>(TicksPerSecond());
  const Reading birth = ReadingAtBirth(1'000 * ticks + ticks / 2);
  EXPECT_EQ(birth.boot_ns, 1'000 * kSecond + kSecond / 2);
  Reading now;
  now.boot_ns = birth.boot_ns + 4 * kSecond;
  now.cpu_ns = kSecond;
  EXPECT_THAT(Gauge("cpu.percent", {&birth, now}), Optional(DoubleEq(25)));
}

TEST(ReadingAtBirth, HoldsAfterAHundredYears) {
  const auto ticks = static_cast<uint64_t>(TicksPerSecond());
  constexpr uint64_t kSeconds = uint64_t{100} * 365 * 86'400;
  EXPECT_EQ(ReadingAtBirth(kSeconds * ticks).boot_ns,
            static_cast<int64_t>(kSeconds) * kSecond);
}

}  // namespace
}  // namespace pycheck

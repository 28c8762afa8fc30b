#include "check/cli/recording.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lib/sample/gauges.h"
#include "nlohmann/json.hpp"

namespace pycheck {
namespace {

constexpr std::array<std::string_view, 4> kStatusNames = {
    "OK", "WARNING", "CRITICAL", "UNKNOWN"};

std::string_view StatusName(int status) {
  return status >= 0 && status < static_cast<int>(kStatusNames.size())
             ? kStatusNames[static_cast<size_t>(status)]
             : "UNKNOWN";
}

std::string Whole(double value) { return absl::StrFormat("%.0f", value); }
std::string Hundredths(double value) { return absl::StrFormat("%.2f", value); }
std::string Tenths(double value) { return absl::StrFormat("%.1f", value); }
std::string Mebibytes(double value) {
  return absl::StrFormat("%.1f MiB", value / (1 << 20));
}

// A column for each gauge, in the order of GaugeDefinitions().
struct Column {
  std::string_view heading;
  std::string (*format)(double value);
};
constexpr std::array<Column, kGaugeCount> kColumns = {{
    {"sys s", Hundredths},
    {"user s", Hundredths},
    {"cpu %", Tenths},
    {"ctx vol", Whole},
    {"ctx inv", Whole},
    {"gen0", Whole},
    {"gen1", Whole},
    {"gen2", Whole},
    {"rss", Mebibytes},
    {"threads", Whole},
}};

std::string TagValue(const std::vector<std::string>& tags,
                     std::string_view key) {
  const auto tag = std::find_if(
      tags.rbegin(), tags.rend(),
      [&](const std::string& each) { return absl::StartsWith(each, key); });
  return tag == tags.rend() ? "-" : tag->substr(key.size());
}

// The version; and the implementation where it is not CPython.
std::string PythonOf(const std::vector<std::string>& tags) {
  std::string implementation = TagValue(tags, "lang_interpreter:");
  std::string version = TagValue(tags, "lang_version:");
  if (implementation == "cpython") return version;
  if (version == "-") return implementation;
  return absl::StrCat(implementation, " ", version);
}

// The version, and where the instance asks for it what it is on for.
std::string TracerOf(const std::vector<std::string>& tags) {
  std::string version = TagValue(tags, "tracer_version:");
  const std::string loaded = TagValue(tags, "tracer_loaded:");
  if (loaded == "-") return version;
  if (loaded == "false") return "none";
  std::vector<std::string_view> parts;
  if (TagValue(tags, "tracing_enabled:") == "true") {
    parts.emplace_back("traces");
  }
  if (TagValue(tags, "profiling_enabled:") == "true") {
    parts.emplace_back("profiles");
  }
  return absl::StrCat(version == "-" ? "" : version + " ",
                      parts.empty() ? "off" : absl::StrJoin(parts, "+"));
}

using Row = std::vector<std::string>;

// The rows' cells under one another: the first column to the left, the others
// to the right.
std::string Align(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows.front().size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const Row& row : rows) {
    absl::StrAppendFormat(&text, "  %-*s", widths[0], row[0]);
    for (size_t i = 1; i < row.size(); ++i) {
      absl::StrAppendFormat(&text, "  %*s", widths[i], row[i]);
    }
    text += '\n';
  }
  return text;
}

// How many processes a sum is of.
constexpr std::string_view kSummed = "python.process.summed";

std::optional<size_t> ColumnOf(const std::string& gauge) {
  for (size_t i = 0; i < kGaugeCount; ++i) {
    if (gauge == GaugeDefinitions()[i].name) return i;
  }
  return std::nullopt;
}

std::vector<Row> ProcessRows(const Recording& recording) {
  Row headings = {"process", "pid", "python", "tracer"};
  const size_t first_gauge = headings.size();
  for (const Column& column : kColumns) headings.emplace_back(column.heading);
  std::vector<Row> rows = {headings};

  // One row for each series' tags, in the order in which they came.
  std::map<std::string, size_t> row_of;
  for (const Recording::Gauge& gauge : recording.gauges) {
    const std::optional<size_t> column = ColumnOf(gauge.name);
    if (!column && gauge.name != kSummed) continue;
    const auto [found, is_new] = row_of.try_emplace(
        absl::StrCat(gauge.check_id, "\n", absl::StrJoin(gauge.tags, "\n")),
        rows.size());
    if (is_new) {
      rows.emplace_back(headings.size(), "-");
      rows.back()[0] = TagValue(gauge.tags, "process_name:");
      rows.back()[1] = TagValue(gauge.tags, "pid:");
      rows.back()[2] = PythonOf(gauge.tags);
      rows.back()[3] = TracerOf(gauge.tags);
    }
    Row& row = rows[found->second];
    if (column) {
      row[first_gauge + *column] = kColumns[*column].format(gauge.value);
    } else {
      row[1] = absl::StrCat("sum of ", Whole(gauge.value));
    }
  }
  return rows;
}

// What the service checks say, and of how many instances.
std::map<std::string, int> ServiceCheckLines(const Recording& recording) {
  std::map<std::string, int> lines;
  for (const Recording::ServiceCheck& check : recording.service_checks) {
    ++lines[absl::StrCat(check.name, ": ", StatusName(check.status),
                         check.message.empty() ? "" : ": ", check.message)];
  }
  return lines;
}

}  // namespace

std::string ToJson(const Recording& recording) {
  nlohmann::ordered_json json;
  json["metrics"] = nlohmann::ordered_json::array();
  for (const Recording::Gauge& gauge : recording.gauges) {
    json["metrics"].push_back({{"check_id", gauge.check_id},
                               {"type", "gauge"},
                               {"name", gauge.name},
                               {"value", gauge.value},
                               {"tags", gauge.tags}});
  }
  json["service_checks"] = nlohmann::ordered_json::array();
  for (const Recording::ServiceCheck& check : recording.service_checks) {
    json["service_checks"].push_back({{"check_id", check.check_id},
                                      {"name", check.name},
                                      {"status", StatusName(check.status)},
                                      {"tags", check.tags},
                                      {"message", check.message}});
  }
  json["errors"] = nlohmann::ordered_json::array();
  for (const Recording::Failure& failure : recording.failures) {
    json["errors"].push_back(
        {{"check_id", failure.check_id}, {"message", failure.message}});
  }
  return json.dump(2, ' ', false,
                   nlohmann::ordered_json::error_handler_t::replace) +
         "\n";
}

std::string ToTable(const Recording& recording) {
  std::string text;
  const std::vector<Row> rows = ProcessRows(recording);
  if (rows.size() > 1) {
    text = Align(rows);
  } else if (recording.failures.empty()) {
    text = "  no Python process is reported\n";
  }
  for (const auto& [line, count] : ServiceCheckLines(recording)) {
    absl::StrAppendFormat(
        &text, "  %s%s\n", line,
        count > 1 ? absl::StrCat(" (", count, " instances)") : std::string());
  }
  for (const Recording::Failure& failure : recording.failures) {
    absl::StrAppendFormat(&text, "  error in %s: %s\n", failure.check_id,
                          failure.message);
  }
  return text;
}

}  // namespace pycheck

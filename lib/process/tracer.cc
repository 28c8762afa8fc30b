#include "lib/process/tracer.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "lib/base/file.h"
#include "lib/procfs/descriptors.h"
#include "lib/procfs/maps.h"
#include "nlohmann/json.hpp"

namespace pycheck {
namespace {

// The file's name; some characters that are drawn by lot follow.
constexpr std::string_view kMetadataFile = "datadog-tracer-info-";
constexpr size_t kMaxMetadata = size_t{16} << 10;

// As a tracer names it (RuntimeWorker).
constexpr std::string_view kRuntimeMetricsThread = "RuntimeWorker";
constexpr size_t kMaxThreads = 1024;

// After 1, 2, 4 … readings, and in the end after 32.
constexpr int kMostDoublings = 5;

// Takes the texts out of the outermost map, and stops where there is anything
// else within it but texts, numbers, and lists and maps of them: it never nests
// deeper.
class MetadataHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  const std::string& language() const { return language_; }
  Tracer TakeTracer() { return std::move(tracer_); }

  bool null() override { return true; }
  bool boolean(bool /*value*/) override { return true; }
  bool number_integer(number_integer_t /*value*/) override { return true; }
  bool number_unsigned(number_unsigned_t /*value*/) override { return true; }
  bool number_float(number_float_t /*value*/,
                    const string_t& /*text*/) override {
    return true;
  }
  bool binary(binary_t& /*value*/) override { return true; }

  bool string(string_t& value) override {
    if (depth_ != 1) return true;
    if (key_ == "tracer_language") language_ = value;
    if (key_ == "tracer_version") tracer_.version = value;
    if (key_ == "service_name") tracer_.service = value;
    if (key_ == "service_env") tracer_.env = value;
    if (key_ == "service_version") tracer_.service_version = value;
    return true;
  }
  bool key(string_t& value) override {
    if (depth_ == 1) key_ = value;
    return true;
  }
  bool start_object(size_t /*size*/) override { return ++depth_ <= kMaxDepth; }
  bool end_object() override { return --depth_ >= 0; }
  bool start_array(size_t /*size*/) override {
    return depth_ > 0 && ++depth_ <= kMaxDepth;
  }
  bool end_array() override { return --depth_ >= 0; }
  bool parse_error(size_t /*position*/, const std::string& /*last*/,
                   const nlohmann::json::exception& /*what*/) override {
    return false;
  }

 private:
  static constexpr int kMaxDepth = 3;

  int depth_ = 0;
  std::string key_;
  std::string language_;
  Tracer tracer_;
};

// kNotFound where there is none.
absl::StatusOr<Tracer> ReadTracerMetadata(const Procfs& procfs, pid_t pid) {
  const auto files = OpenMemoryFiles(procfs, pid, kMetadataFile);
  if (!files.ok()) return files.status();
  std::string buffer(kMaxMetadata, '\0');
  for (const UniqueFd& file : *files) {
    const auto text =
        ReadFromStart(file.get(), absl::MakeSpan(buffer), kMetadataFile);
    if (!text.ok() || text->size() == kMaxMetadata) continue;
    if (auto tracer = ParseTracerMetadata(*text)) return *std::move(tracer);
  }
  return absl::NotFoundError("no tracer says that it is there");
}

// A tracer that says nothing of itself, by its compiled parts. kNotFound where
// there is none.
absl::StatusOr<Tracer> FindSilentTracer(const Procfs& procfs, pid_t pid) {
  const auto maps = procfs.OpenFile(pid, "maps");
  if (!maps.ok()) return maps.status();
  const auto images = ReadMappedImages(maps->get());
  if (!images.ok()) return images.status();
  const bool has_parts = absl::c_any_of(*images, [](const MappedImage& image) {
    return absl::StrContains(image.path, "/ddtrace/internal/");
  });
  if (!has_parts) return absl::NotFoundError("no library of the tracer's");
  return Tracer();
}

bool HasThreadNamed(const Procfs& procfs, pid_t pid, std::string_view name) {
  const std::string directory = procfs.ProcessPath(pid, "task");
  const auto threads = ListIds(directory);
  if (!threads.ok()) return false;
  const size_t most = std::min(threads->size(), kMaxThreads);
  return std::any_of(
      threads->begin(), threads->begin() + static_cast<ptrdiff_t>(most),
      [&](pid_t thread) {
        const auto comm = ReadFileStart(
            absl::StrCat(directory, "/", thread, "/comm"), kMaxComm + 1);
        return comm.ok() && *comm == absl::StrCat(name, "\n");
      });
}

// As the tracer takes it for true.
bool WantsRuntimeMetrics(const Variables& environment) {
  const auto found = environment.find("DD_RUNTIME_METRICS_ENABLED");
  return found != environment.end() &&
         (absl::EqualsIgnoreCase(found->second, "true") ||
          found->second == "1");
}

}  // namespace

std::optional<Tracer> ParseTracerMetadata(std::string_view text) {
  MetadataHandler handler;
  if (!nlohmann::json::sax_parse(text, &handler,
                                 nlohmann::json::input_format_t::msgpack) ||
      handler.language() != "python") {
    return std::nullopt;
  }
  return handler.TakeTracer();
}

bool TracerSearch::Update(const Procfs& procfs, pid_t pid, uint64_t size_pages,
                          const Variables& environment, bool silent) {
  const bool is_known =
      tracer_ && tracer_->sends_runtime_metrics && !tracer_->version.empty();
  if (is_known) return false;
  if (!IsDue(size_pages)) return false;
  const bool wanted = WantsRuntimeMetrics(environment);
  absl::StatusOr<Tracer> found = ReadTracerMetadata(procfs, pid);
  if (absl::IsNotFound(found.status()) && (wanted || silent)) {
    found = FindSilentTracer(procfs, pid);
  }
  // Nothing was looked at: at the next reading it is due again.
  if (absl::IsResourceExhausted(found.status())) return false;
  if (found.ok() || absl::IsNotFound(found.status())) has_looked_ = true;
  ++looks_;
  readings_since_look_ = 0;
  looked_size_pages_ = size_pages;
  std::optional<Tracer> tracer = tracer_;
  if (found.ok()) tracer = *std::move(found);
  if (tracer) {
    tracer->sends_runtime_metrics =
        wanted || HasThreadNamed(procfs, pid, kRuntimeMetricsThread);
  }
  if (tracer == tracer_) return false;
  tracer_ = std::move(tracer);
  return true;
}

bool TracerSearch::IsDue(uint64_t size_pages) {
  ++readings_since_look_;
  return looks_ == 0 ||
         (size_pages != looked_size_pages_ &&
          readings_since_look_ >= 1 << std::min(looks_ - 1, kMostDoublings));
}

}  // namespace pycheck

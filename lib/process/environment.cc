#include "lib/process/environment.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "lib/base/budgeted_memory.h"
#include "lib/base/file.h"
#include "lib/elf/image.h"

namespace pycheck {
namespace {

// Far more than a person sets.
constexpr int kMaxReads = 4096;
constexpr int64_t kMaxBytes = int64_t{4} << 20;
constexpr size_t kMaxVariables = 8192;

// The kernel takes no longer string to start a program with (MAX_ARG_STRLEN).
constexpr size_t kMaxLength = size_t{128} << 10;

constexpr uint64_t kPage = 4096;

// Whether a "NAME=value" has one of these names.
bool IsWanted(std::string_view variable,
              absl::Span<const std::string_view> names) {
  const size_t equals = variable.find('=');
  return equals != std::string_view::npos &&
         absl::c_linear_search(names, variable.substr(0, equals));
}

void Keep(std::string_view variable, Variables& kept) {
  const size_t equals = variable.find('=');
  kept.try_emplace(std::string(variable.substr(0, equals)),
                   variable.substr(equals + 1));
}

// The C library's; in a program that uses the variable itself, the program's.
bool MayHaveEnviron(const MappedImage& image) {
  const std::string_view path = image.path;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return absl::StartsWith(name, "libc.") || absl::StartsWith(name, "libc-") ||
         absl::StartsWith(name, "ld-musl-");
}

// Where the pointer is in an image; nothing where the image does not have it,
// or it is not used.
std::optional<uint64_t> FindEnvironIn(const Memory& memory,
                                      const MappedImage& mapped,
                                      Binaries& binaries) {
  const absl::StatusOr<Image> image = Image::Read(memory, mapped.base);
  if (!image.ok()) return std::nullopt;
  const std::optional<uint64_t> environ =
      binaries.FindEnviron(memory, mapped, *image);
  if (!environ) return std::nullopt;
  const uint64_t address = image->base() + *environ;
  const absl::StatusOr<uint64_t> pointer = memory.Read<uint64_t>(address);
  if (!pointer.ok() || *pointer == 0) return std::nullopt;
  return address;
}

// Reads a process's memory page by page, as strings lie side by side.
class Pages {
 public:
  explicit Pages(const Memory& memory) : memory_(memory) {}

  // What the page has from `address` on; empty where it cannot be read.
  std::string_view From(uint64_t address) {
    const uint64_t begin = address - address % kPage;
    if (begin != begin_) {
      begin_ = begin;
      readable_ = memory_.Read(begin, absl::MakeSpan(page_)).ok();
    }
    if (!readable_) return {};
    return std::string_view(page_.data(), page_.size()).substr(address - begin);
  }

 private:
  const Memory& memory_;
  std::array<char, kPage> page_;
  uint64_t begin_ = ~uint64_t{0};
  bool readable_ = false;
};

// A string that ends with a NUL; what there is of it, where it has no end.
std::string ReadString(Pages& pages, uint64_t address) {
  std::string text;
  while (text.size() < kMaxLength) {
    const std::string_view part = pages.From(address + text.size());
    const size_t end = part.find('\0');
    text.append(part.substr(0, end));
    if (part.empty() || end != std::string_view::npos) break;
  }
  return text;
}

// What two readings give alike: a text whose memory is used anew meanwhile may
// begin as one and end as another. Nothing where it never stands still.
std::optional<std::string> ReadStill(const Memory& memory, uint64_t address,
                                     std::string first) {
  constexpr int kAttempts = 3;
  for (int i = 0; i < kAttempts; ++i) {
    Pages pages(memory);
    std::string again = ReadString(pages, address);
    if (again == first) return again;
    first = std::move(again);
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<uint64_t> FindEnviron(const Memory& memory,
                                     absl::Span<const MappedImage> images,
                                     Binaries& binaries) {
  const BudgetedMemory budgeted(memory, kMaxReads, kMaxBytes);
  for (const MappedImage& image : images) {
    if (&image != &images.front() && !MayHaveEnviron(image)) continue;
    if (const auto environ = FindEnvironIn(budgeted, image, binaries)) {
      return *environ;
    }
  }
  return absl::FailedPreconditionError("it has no environment yet");
}

absl::StatusOr<Variables> ReadEnvironment(
    const Memory& memory, uint64_t environ,
    absl::Span<const std::string_view> names) {
  const BudgetedMemory budgeted(memory, kMaxReads, kMaxBytes);
  const absl::StatusOr<uint64_t> begin = budgeted.Read<uint64_t>(environ);
  if (!begin.ok()) return absl::FailedPreconditionError("it has gone");
  Pages pointers(budgeted);
  Pages strings(budgeted);
  Variables kept;
  for (size_t i = 0; i < kMaxVariables; ++i) {
    const std::string_view bytes = pointers.From(*begin + i * sizeof(uint64_t));
    uint64_t pointer = 0;
    if (bytes.size() < sizeof(pointer)) break;
    bytes.copy(reinterpret_cast<char*>(&pointer), sizeof(pointer));
    // Where there was more than may be read, something is missing.
    if (pointer == 0 && budgeted.IsSpent()) break;
    if (pointer == 0) return kept;
    std::string text = ReadString(strings, pointer);
    if (!IsWanted(text, names)) continue;
    const std::optional<std::string> still =
        ReadStill(budgeted, pointer, std::move(text));
    if (still && IsWanted(*still, names)) Keep(*still, kept);
  }
  return absl::FailedPreconditionError("its environment has no end");
}

absl::StatusOr<Variables> ReadInitialEnvironment(
    const Procfs& procfs, pid_t pid, absl::Span<const std::string_view> names) {
  constexpr size_t kLongest = size_t{6} << 20;  // as of a command line
  const absl::StatusOr<std::string> text =
      ReadFileStart(procfs.ProcessPath(pid, "environ"), kLongest);
  if (!text.ok()) return text.status();
  Variables kept;
  for (std::string_view rest = *text; !rest.empty();) {
    const size_t end = std::min(rest.find('\0'), rest.size());
    const std::string_view variable = rest.substr(0, std::min(end, kMaxLength));
    if (IsWanted(variable, names)) Keep(variable, kept);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return kept;
}

}  // namespace pycheck

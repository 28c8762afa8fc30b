#include "lib/cpython/interpreter.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/elf/image.h"

namespace pycheck {

namespace {

using Generations = Interpreter::Generations;

// Symbols that only a Python defines, for one whose counts cannot be read.
struct Marker {
  std::string_view symbol;
  std::string_view implementation;
};
constexpr Marker kMarkers[] = {
    {"Py_InitializeEx", "a CPython older than 3.7"},
    {"pypy_execute_source", "PyPy, which keeps no such counts"},
};

constexpr std::string_view kRuntime = "_PyRuntime";
constexpr std::string_view kVersion = "Py_Version";  // 3.11 and later

// What a search may cost at the most. An image takes about ten reads, a proof
// seven.
constexpr int kMaxReads = 20'000;

// Stops reading after so many reads, so that no process can hold a search up
// by what it has mapped.
class BudgetedMemory : public Memory {
 public:
  using Memory::Read;

  BudgetedMemory(const Memory& memory, int reads)
      : memory_(memory), left_(reads) {}

  absl::Status Read(uint64_t address, absl::Span<char> out) const override {
    if (left_ == 0) return absl::OutOfRangeError("too many reads");
    --left_;
    return memory_.Read(address, out);
  }

  bool Spent() const { return left_ == 0; }

 private:
  const Memory& memory_;
  mutable int left_;
};

absl::Status TooMuch() {
  return absl::UnimplementedError(
      absl::StrCat("no CPython found in ", kMaxReads,
                   " reads of its memory, which has too many images"));
}

// PY_VERSION_HEX, patchlevel.h.
int Major(uint64_t version_hex) {
  return static_cast<int>((version_hex >> 24) & 0xff);
}
int Minor(uint64_t version_hex) {
  return static_cast<int>((version_hex >> 16) & 0xff);
}

// What an image says of its version.
struct Runtime {
  Symbol symbol;
  std::optional<uint64_t> version_hex;
};

bool IsLayoutOf(const Runtime& runtime, const Layout& layout) {
  if (!runtime.version_hex) {
    return layout.runtime_size == runtime.symbol.size;
  }
  return layout.major == Major(*runtime.version_hex) &&
         layout.minor == Minor(*runtime.version_hex);
}

absl::Status UnknownLayout(const Runtime& runtime) {
  if (!runtime.version_hex) {
    return absl::UnimplementedError(
        absl::StrCat("a CPython whose runtime state has ", runtime.symbol.size,
                     " bytes, which no known version has"));
  }
  return absl::UnimplementedError(
      absl::StrCat("CPython ", Major(*runtime.version_hex), ".",
                   Minor(*runtime.version_hex), ", which is not known yet"));
}

absl::StatusOr<Runtime> FindRuntime(const Memory& memory, const Image& image) {
  absl::StatusOr<Symbol> symbol = image.FindSymbol(memory, kRuntime);
  if (!symbol.ok()) return symbol.status();
  Runtime runtime{.symbol = *symbol, .version_hex = std::nullopt};
  const absl::StatusOr<Symbol> version = image.FindSymbol(memory, kVersion);
  if (version.ok()) {
    const absl::StatusOr<uint64_t> hex =
        memory.Read<uint64_t>(version->address);
    if (!hex.ok()) return hex.status();
    runtime.version_hex = *hex;
  }
  return runtime;
}

// The main interpreter's state, by the pointer at `address`.
absl::StatusOr<uint64_t> ReadMainInterpreter(const Memory& memory,
                                             uint64_t address) {
  const absl::StatusOr<uint64_t> state = memory.Read<uint64_t>(address);
  if (!state.ok()) return state.status();
  if (*state == 0) {
    return absl::UnavailableError(
        "its interpreter is not initialised, or not any more");
  }
  return *state;
}

// The generations at the place that a layout gives, proven.
absl::StatusOr<Generations> LocateGenerations(const Memory& memory,
                                              const Runtime& runtime,
                                              const Layout& layout) {
  Generations generations{
      .layout = &layout,
      .main_interpreter = runtime.symbol.address + layout.main_interpreter,
      .state = 0,
      .address = 0};
  const absl::StatusOr<uint64_t> state =
      ReadMainInterpreter(memory, generations.main_interpreter);
  if (!state.ok()) return state.status();
  generations.state = *state;
  generations.address =
      (layout.in_interpreter ? *state : runtime.symbol.address) +
      layout.generations;
  const absl::Status proof =
      ProveGenerations(memory, generations.address, layout);
  if (!proof.ok()) return proof;
  return generations;
}

absl::Status FindMarker(const Memory& memory, const Image& image) {
  for (const Marker& marker : kMarkers) {
    const absl::StatusOr<Symbol> symbol =
        image.FindSymbol(memory, marker.symbol);
    if (symbol.ok()) return absl::UnimplementedError(marker.implementation);
    if (absl::IsNotFound(symbol.status())) return symbol.status();
  }
  return absl::FailedPreconditionError("no Python in this image");
}

// How much a failure tells about a process, of several that it gave: more than
// that another of its images holds no Python.
int Telling(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return 3;
    case absl::StatusCode::kUnavailable:
      return 2;
    case absl::StatusCode::kUnimplemented:
      return 1;
    default:
      return 0;
  }
}

// Most processes have their CPython in an image that is named after it: those
// are looked into first.
std::vector<const MappedImage*> InOrderOfPromise(
    absl::Span<const MappedImage> images) {
  std::vector<const MappedImage*> order;
  order.reserve(images.size());
  for (const MappedImage& image : images) order.push_back(&image);
  std::stable_partition(
      order.begin(), order.end(), [](const MappedImage* image) {
        const size_t slash = image->path.rfind('/') + 1;
        return absl::StrContains(image->path.substr(slash), "python");
      });
  return order;
}

// The generations of the CPython that an image holds, proven.
absl::StatusOr<Generations> FindInImage(const Memory& memory, uint64_t base) {
  const absl::StatusOr<Image> image = Image::Read(memory, base);
  if (!image.ok()) return image.status();
  const absl::StatusOr<Runtime> runtime = FindRuntime(memory, *image);
  if (!runtime.ok()) return FindMarker(memory, *image);

  absl::Status failure = UnknownLayout(*runtime);
  for (const Layout& layout : KnownLayouts()) {
    if (!IsLayoutOf(*runtime, layout)) continue;
    absl::StatusOr<Generations> generations =
        LocateGenerations(memory, *runtime, layout);
    if (generations.ok()) return generations;
    failure = generations.status();
  }
  return failure;
}

}  // namespace

absl::StatusOr<Interpreter> Interpreter::Find(
    const Memory& whole_memory, absl::Span<const MappedImage> images) {
  const BudgetedMemory memory(whole_memory, kMaxReads);
  absl::Status failure =
      absl::FailedPreconditionError("no Python in this process");
  for (const MappedImage* image : InOrderOfPromise(images)) {
    const absl::StatusOr<Generations> generations =
        FindInImage(memory, image->base);
    if (generations.ok()) return Interpreter(*generations);
    if (Telling(generations.status()) > Telling(failure)) {
      failure = generations.status();
    }
    if (memory.Spent()) return TooMuch();
  }
  return failure;
}

absl::StatusOr<GcCounts> Interpreter::ReadCounts(const Memory& memory) const {
  absl::StatusOr<GcCounts> counts =
      ReadGcCounts(memory, generations_.address, *generations_.layout);
  // Read afterwards: it was alive while the counts were read.
  const absl::StatusOr<uint64_t> state =
      ReadMainInterpreter(memory, generations_.main_interpreter);
  if (!state.ok()) return state.status();
  if (*state != generations_.state) {
    return absl::UnavailableError("it has another interpreter now");
  }
  return counts;
}

}  // namespace pycheck

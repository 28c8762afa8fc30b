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

struct Generations {
  const Layout* layout;
  uint64_t address;
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

// Follows a layout from the runtime to generations[3].
absl::StatusOr<uint64_t> FollowLayout(const Memory& memory, uint64_t runtime,
                                      const Layout& layout) {
  if (!layout.interpreter_pointer) return runtime + layout.generations;
  const absl::StatusOr<uint64_t> interpreter =
      memory.Read<uint64_t>(runtime + *layout.interpreter_pointer);
  if (!interpreter.ok()) return interpreter.status();
  if (*interpreter == 0) {
    return absl::UnavailableError("the interpreter is not initialised");
  }
  return *interpreter + layout.generations;
}

// The generations at the place that a layout gives, proven.
absl::StatusOr<uint64_t> LocateGenerations(const Memory& memory,
                                           const Runtime& runtime,
                                           const Layout& layout) {
  const absl::StatusOr<uint64_t> generations =
      FollowLayout(memory, runtime.symbol.address, layout);
  if (!generations.ok()) return generations.status();
  const absl::Status proof = ProveGenerations(memory, *generations, layout);
  if (!proof.ok()) return proof;
  return *generations;
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
    const absl::StatusOr<uint64_t> address =
        LocateGenerations(memory, *runtime, layout);
    if (address.ok()) return Generations{&layout, *address};
    failure = address.status();
  }
  return failure;
}

}  // namespace

absl::StatusOr<Interpreter> Interpreter::Find(
    const Memory& memory, absl::Span<const MappedImage> images) {
  absl::Status failure =
      absl::FailedPreconditionError("no Python in this process");
  for (const MappedImage* image : InOrderOfPromise(images)) {
    const absl::StatusOr<Generations> generations =
        FindInImage(memory, image->base);
    if (generations.ok()) {
      return Interpreter(*generations->layout, generations->address);
    }
    if (Telling(generations.status()) > Telling(failure)) {
      failure = generations.status();
    }
  }
  return failure;
}

}  // namespace pycheck

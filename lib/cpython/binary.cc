#include "lib/cpython/binary.h"

#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "lib/elf/symbols.h"

namespace pycheck {
namespace {

constexpr std::string_view kRuntime = "_PyRuntime";  // 3.7 and later
constexpr std::string_view kVersion = "Py_Version";  // 3.11 and later
constexpr std::string_view kGeneration0 = "_PyGC_generation0";
constexpr std::string_view kCurrentThread = "_PyThreadState_Current";
constexpr std::string_view kCPython = "Py_InitializeEx";   // all
constexpr std::string_view kPyPy = "pypy_execute_source";  // all of PyPy
constexpr std::string_view kEnviron = "environ";

absl::Status Malformed() {
  return absl::InvalidArgumentError("malformed symbols");
}

// A symbol, or nothing where the image does not define it.
absl::StatusOr<std::optional<Symbol>> Lookup(const Memory& memory,
                                             const ExportedSymbols& symbols,
                                             std::string_view name) {
  const absl::StatusOr<Symbol> symbol = symbols.Find(memory, name);
  if (symbol.ok()) return *symbol;
  if (absl::IsFailedPrecondition(symbol.status())) return std::nullopt;
  return symbol.status();
}

// What has no _PyRuntime: PyPy, a CPython before 3.7, or no Python.
absl::StatusOr<Binary> LookForOthers(const Memory& memory, const Image& image,
                                     const ExportedSymbols& symbols) {
  Binary binary;
  const auto pypy = Lookup(memory, symbols, kPyPy);
  if (!pypy.ok()) return pypy.status();
  if (*pypy) {
    binary.implementation = Implementation::kPyPy;
    return binary;
  }
  const auto cpython = Lookup(memory, symbols, kCPython);
  if (!cpython.ok()) return cpython.status();
  if (!*cpython) return binary;
  binary.implementation = Implementation::kCPython;
  const auto generation0 = Lookup(memory, symbols, kGeneration0);
  if (!generation0.ok()) return generation0.status();
  const auto current_thread = Lookup(memory, symbols, kCurrentThread);
  if (!current_thread.ok()) return current_thread.status();
  if (*generation0 && *current_thread) {
    binary.before37 = {
        .generation0 = (*generation0)->address - image.base(),
        .current_thread = (*current_thread)->address - image.base()};
  }
  return binary;
}

}  // namespace

absl::StatusOr<Binary> LookInto(const Memory& memory, const Image& image) {
  Binary binary;
  const absl::StatusOr<ExportedSymbols> symbols =
      ExportedSymbols::Read(memory, image);
  if (!symbols.ok()) return symbols.status();

  const absl::StatusOr<Symbol> runtime = symbols->Find(memory, kRuntime);
  if (!runtime.ok()) {
    if (!absl::IsFailedPrecondition(runtime.status())) return runtime.status();
    return LookForOthers(memory, image, *symbols);
  }
  binary.implementation = Implementation::kCPython;
  binary.runtime = {.offset = runtime->address - image.base(),
                    .size = runtime->size};
  const absl::StatusOr<Symbol> version = symbols->Find(memory, kVersion);
  if (!version.ok()) {
    if (!absl::IsFailedPrecondition(version.status())) return version.status();
    return binary;
  }
  const absl::StatusOr<uint64_t> hex = memory.Read<uint64_t>(version->address);
  if (!hex.ok()) {
    return absl::IsNotFound(hex.status()) ? hex.status() : Malformed();
  }
  binary.version_hex = static_cast<uint32_t>(*hex);
  return binary;
}

Binary* Binaries::Find(const MappedImage& mapped, const Image& image) {
  const auto found = binaries_.find(KeyOf(mapped, image));
  return found == binaries_.end() ? nullptr : &found->second;
}

void Binaries::Add(const MappedImage& mapped, const Image& image,
                   Binary binary) {
  if (binaries_.size() >= kMaxBinaries) binaries_.clear();
  binaries_.insert_or_assign(KeyOf(mapped, image), std::move(binary));
}

std::optional<uint64_t> Binaries::FindEnviron(const Memory& memory,
                                              const MappedImage& mapped,
                                              const Image& image) {
  Key key = KeyOf(mapped, image);
  const auto known = environs_.find(key);
  if (known != environs_.end()) return known->second;
  const absl::StatusOr<ExportedSymbols> symbols =
      ExportedSymbols::Read(memory, image);
  if (!symbols.ok()) return std::nullopt;
  const auto symbol = Lookup(memory, *symbols, kEnviron);
  if (!symbol.ok()) return std::nullopt;
  std::optional<uint64_t> environ;
  if (*symbol) environ = (*symbol)->address - image.base();
  if (environs_.size() >= kMaxBinaries) environs_.clear();
  environs_.emplace(std::move(key), environ);
  return environ;
}

Binaries::Key Binaries::KeyOf(const MappedImage& mapped, const Image& image) {
  return {mapped.device, mapped.inode, image.fingerprint()};
}

}  // namespace pycheck

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

}  // namespace

absl::StatusOr<Binary> LookInto(const Memory& memory, const Image& image) {
  Binary binary;
  const absl::StatusOr<ExportedSymbols> symbols =
      ExportedSymbols::Read(memory, image);
  if (!symbols.ok()) return symbols.status();

  const absl::StatusOr<Symbol> runtime = symbols->Find(memory, kRuntime);
  if (!runtime.ok()) {
    if (!absl::IsFailedPrecondition(runtime.status())) return runtime.status();
    if (symbols->Find(memory, kPyPy).ok()) {
      binary.implementation = Implementation::kPyPy;
    } else if (symbols->Find(memory, kCPython).ok()) {
      binary.implementation = Implementation::kCPython;
      const auto generation0 = symbols->Find(memory, kGeneration0);
      const auto current_thread = symbols->Find(memory, kCurrentThread);
      if (generation0.ok() && current_thread.ok()) {
        binary.before37 = {
            .generation0 = generation0->address - image.base(),
            .current_thread = current_thread->address - image.base()};
      }
    }
    return binary;
  }
  binary.implementation = Implementation::kCPython;
  binary.runtime = {.offset = runtime->address - image.base(),
                    .size = runtime->size};
  const absl::StatusOr<Symbol> version = symbols->Find(memory, kVersion);
  if (version.ok()) {
    const absl::StatusOr<uint64_t> hex =
        memory.Read<uint64_t>(version->address);
    if (absl::IsNotFound(hex.status())) return hex.status();
    if (hex.ok()) binary.version_hex = static_cast<uint32_t>(*hex);
  }
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

Binaries::Key Binaries::KeyOf(const MappedImage& mapped, const Image& image) {
  return {mapped.device, mapped.inode, image.fingerprint()};
}

}  // namespace pycheck

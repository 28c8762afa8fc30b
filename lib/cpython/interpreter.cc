#include "lib/cpython/interpreter.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/budgeted_memory.h"
#include "lib/cpython/debug_offsets.h"
#include "lib/cpython/layout.h"
#include "lib/cpython/structure.h"
#include "lib/cpython/version.h"
#include "lib/elf/image.h"

namespace pycheck {
namespace {

// What a search may cost at the most. A look into an image takes about ten
// reads, a proof seven; a search by structure some hundreds, and two megabytes.
constexpr int kMaxReads = 50'000;
constexpr int64_t kMaxBytes = int64_t{128} << 20;

// What a reading may cost at the most, however many threads there are.
constexpr int kMaxCountReads = 20'000;

// Of the collector's state in an interpreter's, the part that may be searched
// for its generations (struct _gc_runtime_state).
constexpr uint64_t kCollectorSize = 1024;

absl::Status NoPython() {
  return absl::FailedPreconditionError("no Python in this process");
}

absl::Status NotInitialised() {
  return absl::UnavailableError(
      "its interpreter is not initialised, or not any more");
}

// A location, or why there is none. Two failures end a search: kNotFound, and
// kUnimplemented, of a free-threaded build that has nothing else to be known
// by.
using MaybeLocation = absl::StatusOr<Location>;

absl::Status UnknownFreeThreaded(uint32_t version_hex) {
  return absl::UnimplementedError(
      absl::StrCat("a free-threaded CPython ", VersionFromHex(version_hex),
                   ", of which this version of the check does not know where "
                   "it keeps its counts"));
}

MaybeLocation LocateFreeThreaded(const Memory& memory, uint64_t interpreter,
                                 const DebugOffsets& offsets,
                                 Location location) {
  for (const FreeThreadedLayout& layout : KnownFreeThreadedLayouts()) {
    if (layout.major != MajorOf(offsets.version_hex) ||
        layout.minor != MinorOf(offsets.version_hex)) {
      continue;
    }
    const absl::Status young = ProveYoungGeneration(
        memory, interpreter + offsets.gc + layout.generations);
    if (!young.ok()) return young;
    const absl::StatusOr<uint64_t> alloc_count =
        FindAllocCount(memory, interpreter, offsets.threads_head);
    if (!alloc_count.ok()) return alloc_count.status();
    location.free_threading = {.threads_head = offsets.threads_head,
                               .generations = offsets.gc + layout.generations,
                               .alloc_count = *alloc_count};
    return location;
  }
  return UnknownFreeThreaded(offsets.version_hex);
}

// By what the _PyRuntime at `runtime` says of itself, and within the collector
// that it names by the shape of the generations.
MaybeLocation LocateByDebugOffsets(const Memory& memory, const Image& image,
                                   uint64_t runtime,
                                   const DebugOffsets& offsets) {
  const absl::StatusOr<uint64_t> interpreter =
      FindMainInterpreter(memory, runtime, offsets);
  if (!interpreter.ok()) return interpreter.status();

  // The pointer to the main interpreter stands behind that to the first.
  const uint64_t pointer =
      runtime + offsets.interpreters_head + sizeof(uint64_t);
  const absl::StatusOr<uint64_t> main = ReadInterpreterPointer(memory, pointer);
  if (!main.ok()) return main.status();
  if (*main != *interpreter) return NotInitialised();
  Location location{.discovery = Discovery::kDebugOffsets,
                    .interpreter = pointer - image.base(),
                    .in_interpreter = true,
                    .generations = 0,
                    .shape = kShape};
  if (offsets.free_threaded) {
    return LocateFreeThreaded(memory, *interpreter, offsets, location);
  }
  const uint64_t collector = *interpreter + offsets.gc;
  const absl::StatusOr<Snapshot> snapshot =
      TakeSnapshot(memory, collector, collector + kCollectorSize);
  if (!snapshot.ok()) return snapshot.status();
  const absl::StatusOr<FoundGenerations> found =
      FindGenerations(memory, *snapshot, image);
  if (!found.ok()) return found.status();
  location.generations = found->address - *interpreter;
  location.shape = found->shape;
  return location;
}

// Before 3.7, by symbols.
MaybeLocation LocateBefore37(const Memory& memory, const Image& image,
                             const Binary::Before37& symbols) {
  constexpr uint64_t kBeside = 512;
  const uint64_t current_thread = image.base() + symbols.current_thread;
  const absl::StatusOr<Snapshot> beside =
      TakeSnapshot(memory, current_thread - kBeside, current_thread + kBeside);
  if (!beside.ok()) return beside.status();
  const absl::StatusOr<uint64_t> pointer =
      FindInterpreterPointer(memory, *beside, image);
  if (!pointer.ok()) return pointer.status();
  const absl::StatusOr<uint64_t> generations =
      memory.Read<uint64_t>(image.base() + symbols.generation0);
  if (absl::IsNotFound(generations.status())) return generations.status();
  if (!generations.ok() || !image.Contains(*generations, 0)) {
    return NotInitialised();
  }
  for (const GenerationShape& shape : {kPython2Shape, kPaddedShape}) {
    const absl::Status proof = ProveGenerations(memory, *generations, shape);
    if (absl::IsNotFound(proof)) return proof;
    if (!proof.ok()) continue;
    return Location{.discovery = Discovery::kLayout,
                    .interpreter = *pointer - image.base(),
                    .in_interpreter = false,
                    .generations = *generations - image.base(),
                    .shape = shape,
                    .free_threading = std::nullopt,
                    .before37 = true};
  }
  return NotInitialised();
}

bool IsLayoutOf(const Binary& binary, const Layout& layout) {
  if (!binary.version_hex) return layout.runtime_size == binary.runtime->size;
  return layout.major == MajorOf(*binary.version_hex) &&
         layout.minor == MinorOf(*binary.version_hex);
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

}  // namespace

class InterpreterSearch {
 public:
  InterpreterSearch(const Memory& memory, Binaries& binaries)
      : memory_(memory, kMaxReads, kMaxBytes), binaries_(binaries) {}

  absl::StatusOr<Interpreter> Find(absl::Span<const MappedImage> images,
                                   bool search_programs) {
    absl::Status failure = NoPython();
    std::optional<Interpreter> without_counts;
    std::vector<Unsolved> unsolved;
    for (const MappedImage* mapped : InOrderOfPromise(images)) {
      const absl::StatusOr<Image> image = Image::Read(memory_, mapped->base);
      if (absl::IsNotFound(image.status())) return image.status();
      if (!image.ok()) continue;
      absl::StatusOr<Interpreter> interpreter = FindInImage(*mapped, *image);
      if (absl::IsNotFound(interpreter.status())) return interpreter;
      if (absl::IsFailedPrecondition(interpreter.status())) {
        if (image->is_program() && search_programs) {
          unsolved.push_back({mapped, *image, /*exports_python=*/false});
        }
      } else if (!interpreter.ok()) {
        failure = interpreter.status();
        unsolved.push_back({mapped, *image, ExportsPython(*mapped, *image)});
      } else if (interpreter->state_.ok()) {
        return interpreter;
      } else if (!without_counts) {
        without_counts = *std::move(interpreter);
      }
    }
    if (without_counts) return *std::move(without_counts);
    if (memory_.IsSpent()) return TooMuch();
    absl::StatusOr<Interpreter> interpreter = FindByStructureIn(unsolved);
    if (interpreter.ok() || absl::IsNotFound(interpreter.status())) {
      return interpreter;
    }
    // Nothing but its size speaks for a Python in a program that exports none.
    const bool exports_python = !absl::IsFailedPrecondition(failure);
    return memory_.IsSpent() && exports_python ? TooMuch() : failure;
  }

 private:
  // An image in which symbols have not led to a collector.
  struct Unsolved {
    const MappedImage* mapped;
    Image image;
    bool exports_python;
  };

  // Whether not only a search by structure has found Python in it.
  bool ExportsPython(const MappedImage& mapped, const Image& image) {
    const Binary* known = binaries_.Find(mapped, image);
    return known == nullptr || known->runtime || known->before37;
  }

  // In an image that exports a Python's symbols.
  absl::StatusOr<Interpreter> FindInImage(const MappedImage& mapped,
                                          const Image& image) {
    if (Binary* known = binaries_.Find(mapped, image)) {
      absl::StatusOr<Interpreter> interpreter = GoToKnown(image, *known);
      if (!absl::IsUnavailable(interpreter.status()) ||
          !ExportsPython(mapped, image)) {
        return interpreter;
      }
    }
    absl::StatusOr<Binary> binary = LookInto(memory_, image);
    if (memory_.IsSpent()) return TooMuch();
    if (absl::IsNotFound(binary.status())) return binary.status();
    if (!binary.ok()) return NoPython();
    absl::StatusOr<Interpreter> interpreter = NoPython();
    if (binary->implementation == Implementation::kPyPy) {
      interpreter = Interpreter(Implementation::kPyPy, "");
    } else if (binary->implementation == Implementation::kCPython) {
      interpreter = Discover(image, *binary);
      if (!interpreter.ok()) return interpreter;
    }
    binaries_.Add(mapped, image, *std::move(binary));
    return interpreter;
  }

  absl::StatusOr<Interpreter> GoToKnown(const Image& image, Binary& binary) {
    switch (binary.implementation) {
      case Implementation::kNone:
        return NoPython();
      case Implementation::kPyPy:
        return Interpreter(Implementation::kPyPy, "");
      case Implementation::kCPython:
        break;
    }
    if (!binary.location) return NotInitialised();
    absl::Status version = LearnVersion(image, binary);
    if (!version.ok()) return version;
    return GoTo(image, binary);
  }

  // In what symbols have not led to: a layout that is not known, or a program
  // that exports nothing, as nobody loads modules into it. Last, as it costs
  // most.
  absl::StatusOr<Interpreter> FindByStructureIn(
      const std::vector<Unsolved>& unsolved) {
    for (const auto& [mapped, image, exports_python] : unsolved) {
      absl::StatusOr<Binary> binary = Binary();
      if (exports_python) binary = LookInto(memory_, image);
      if (absl::IsNotFound(binary.status())) return binary.status();
      if (!binary.ok()) continue;
      const auto data = TakeDataSnapshots(memory_, image);
      if (!data.ok()) return data.status();
      absl::StatusOr<Interpreter> interpreter =
          FindInData(image, *data, *binary);
      if (absl::IsNotFound(interpreter.status())) return interpreter;
      // Without a symbol, that it is Python shows in its version too.
      if (interpreter.ok() &&
          (exports_python || !interpreter->version().empty())) {
        binary->implementation = Implementation::kCPython;
        binaries_.Add(*mapped, image, *std::move(binary));
        return interpreter;
      }
    }
    return NoPython();
  }

  absl::StatusOr<Interpreter> FindInData(const Image& image,
                                         const std::vector<Snapshot>& data,
                                         Binary& binary) {
    if (const uint64_t runtime = FindDebugOffsets(data)) {
      bool is_free_threaded = false;
      absl::StatusOr<Interpreter> interpreter =
          DiscoverByDebugOffsets(image, runtime, binary, is_free_threaded);
      if (interpreter.ok() || is_free_threaded) return interpreter;
    }
    const MaybeLocation location = FindByStructure(memory_, image, data);
    if (!location.ok()) return location.status();
    return Try(image, binary, *location);
  }

  // By symbols.
  absl::StatusOr<Interpreter> Discover(const Image& image, Binary& binary) {
    absl::Status failure = NotInitialised();
    if (binary.runtime) {
      const uint64_t runtime = image.base() + binary.runtime->offset;
      bool is_free_threaded = false;
      absl::StatusOr<Interpreter> by_offsets =
          DiscoverByDebugOffsets(image, runtime, binary, is_free_threaded);
      if (by_offsets.ok() || is_free_threaded ||
          absl::IsNotFound(by_offsets.status())) {
        return by_offsets;
      }
      for (const Layout& layout : KnownLayouts()) {
        if (!IsLayoutOf(binary, layout)) continue;
        absl::StatusOr<Interpreter> found =
            Try(image, binary, ByLayout(binary, layout));
        if (found.ok() || absl::IsNotFound(found.status())) return found;
        failure = found.status();
      }
    }
    if (binary.before37) {
      const MaybeLocation location =
          LocateBefore37(memory_, image, *binary.before37);
      if (absl::IsNotFound(location.status())) return location.status();
      if (location.ok()) {
        return Try(image, binary, *location);
      }
    }
    return failure;
  }

  // `is_free_threaded` is set where nothing else may be tried: such a build has
  // no lists, but what looks like them.
  absl::StatusOr<Interpreter> DiscoverByDebugOffsets(const Image& image,
                                                     uint64_t runtime,
                                                     Binary& binary,
                                                     bool& is_free_threaded) {
    const absl::StatusOr<DebugOffsets> offsets =
        ReadDebugOffsets(memory_, runtime);
    if (!offsets.ok()) return offsets.status();
    is_free_threaded = offsets->free_threaded;
    const MaybeLocation location =
        LocateByDebugOffsets(memory_, image, runtime, *offsets);
    if (absl::IsUnimplemented(location.status())) {
      return Unreadable(image, binary, location.status());
    }
    if (!location.ok()) return location.status();
    return Try(image, binary, *location);
  }

  static Location ByLayout(const Binary& binary, const Layout& layout) {
    const uint64_t runtime = binary.runtime->offset;
    return {.discovery = Discovery::kLayout,
            .interpreter = runtime + layout.main_interpreter,
            .in_interpreter = layout.in_interpreter,
            .generations =
                layout.generations + (layout.in_interpreter ? 0 : runtime),
            .shape = layout.shape};
  }

  // Goes to a location, and where that proves right keeps it with the version.
  absl::StatusOr<Interpreter> Try(const Image& image, Binary& binary,
                                  const Location& location) {
    Binary attempt = binary;
    attempt.location = location;
    absl::StatusOr<Interpreter> interpreter = GoTo(image, attempt);
    if (!interpreter.ok()) return interpreter;
    absl::Status version = LearnVersion(image, attempt);
    if (!version.ok()) return version;
    interpreter->version_ = attempt.version;
    binary = std::move(attempt);
    return interpreter;
  }

  absl::StatusOr<Interpreter> GoTo(const Image& image, const Binary& binary) {
    absl::StatusOr<CollectorState> state =
        Locate(memory_, image.base(), *binary.location);
    if (!state.ok()) return state.status();
    Interpreter interpreter(Implementation::kCPython, binary.version);
    interpreter.discovery_ = binary.location->discovery;
    interpreter.state_ = *std::move(state);
    return interpreter;
  }

  absl::StatusOr<Interpreter> Unreadable(const Image& image, Binary& binary,
                                         absl::Status reason) {
    absl::Status version = LearnVersion(image, binary);
    if (!version.ok()) return version;
    Interpreter interpreter(Implementation::kCPython, binary.version);
    interpreter.state_ = std::move(reason);
    return interpreter;
  }

  absl::Status LearnVersion(const Image& image, Binary& binary) {
    if (!binary.version.empty()) return absl::OkStatus();
    absl::StatusOr<std::string> version = FindVersion(memory_, image);
    if (!version.ok()) return version.status();
    binary.version = *std::move(version);
    if (binary.version.empty() && binary.version_hex) {
      binary.version = VersionFromHex(*binary.version_hex);
    }
    return absl::OkStatus();
  }

  static absl::Status TooMuch() {
    return absl::UnavailableError(
        absl::StrCat("it could not be found in ", kMaxReads, " reads or ",
                     kMaxBytes, " bytes of the process's memory"));
  }

  const BudgetedMemory memory_;
  Binaries& binaries_;
};

absl::StatusOr<Interpreter> Interpreter::Find(
    const Memory& memory, absl::Span<const MappedImage> images,
    Binaries& binaries, bool search_programs) {
  return InterpreterSearch(memory, binaries).Find(images, search_programs);
}

Interpreter::Interpreter(Implementation implementation, std::string version)
    : implementation_(implementation),
      version_(std::move(version)),
      state_(absl::UnimplementedError("PyPy keeps no such counts")) {}

std::string_view Interpreter::implementation() const {
  return implementation_ == Implementation::kPyPy ? "PyPy" : "CPython";
}

absl::StatusOr<GcCounts> Interpreter::ReadCounts(const Memory& memory) const {
  if (!state_.ok()) return state_.status();
  absl::StatusOr<GcCounts> counts =
      state_->free_threading
          ? ReadFreeThreadedCounts(
                BudgetedMemory(memory, kMaxCountReads, kMaxBytes),
                state_->interpreter, *state_->free_threading)
          : ReadGcCounts(memory, state_->generations, state_->shape);
  // Read afterwards: it was alive while the counts were read.
  const absl::StatusOr<uint64_t> interpreter =
      ReadInterpreterPointer(memory, state_->interpreter_pointer);
  if (!interpreter.ok()) return interpreter.status();
  if (*interpreter != state_->interpreter) {
    return absl::UnavailableError("it has another interpreter now");
  }
  if (state_->before37) {
    const absl::StatusOr<bool> is_alive =
        IsHeapInterpreter(memory, *interpreter);
    if (!is_alive.ok()) return is_alive.status();
    if (!*is_alive) return NotInitialised();
  }
  return counts;
}

}  // namespace pycheck

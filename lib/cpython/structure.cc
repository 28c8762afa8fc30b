#include "lib/cpython/structure.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "lib/cpython/debug_offsets.h"

namespace pycheck {
namespace {

constexpr uint64_t kWord = sizeof(uint64_t);
constexpr uint64_t kPage = 4096;

// Of the generations: Debian's 3.13 has them so.
constexpr size_t kAlignment = 4;

// How often candidates are looked at again: a collection may have had the lists
// in its hands.
constexpr int kAttempts = 8;

// An image has some hundreds of them.
constexpr size_t kMaxCandidates = 4096;

// The generations are near the beginning of an interpreter's state, at 7 KiB in
// 3.15.
constexpr uint64_t kMaxGenerationsOffset = uint64_t{16} << 10;

constexpr uint64_t kMaxNextId = uint64_t{1} << 20;

// An address of something that was allocated. Two small numbers side by side
// are none, nor is the half of one.
bool IsPointer(uint64_t word) {
  constexpr uint64_t kUserSpaceEnd = uint64_t{1} << 48;
  constexpr uint64_t kHalf = 0xffffffff;
  return word >= kPage && word < kUserSpaceEnd && word % kWord == 0 &&
         (word & kHalf) != 0;
}

// A link of the list that has its head at `head`: to itself, or to an object
// on the heap.
bool MayBeLink(uint64_t word, uint64_t head, const Image& image) {
  const uint64_t target = word & ~uint64_t{3};
  return target == head || (IsPointer(target) && !image.Contains(target, 0));
}

uint64_t LoadWord(const char* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

bool MayBeGeneration(const char* bytes, uint64_t address,
                     const GenerationShape& shape, const Image& image) {
  constexpr uint64_t kSigns = 0x8000000080000000;  // of threshold and count
  return MayBeLink(LoadWord(bytes), address, image) &&
         MayBeLink(LoadWord(bytes + kWord), address, image) &&
         (LoadWord(bytes + shape.threshold) & kSigns) == 0;
}

// Where in a snapshot three generations may be, of one shape.
std::vector<uint64_t> Candidates(const Snapshot& snapshot,
                                 const GenerationShape& shape,
                                 const Image& image) {
  const auto* bytes = reinterpret_cast<const char*>(snapshot.words.data());
  const size_t size = snapshot.words.size() * kWord;
  std::vector<uint64_t> candidates;
  for (size_t i = 0; i + kGenerations * shape.size <= size; i += kAlignment) {
    bool all = true;
    for (size_t k = 0; k < kGenerations && all; ++k) {
      const size_t at = i + k * shape.size;
      all = MayBeGeneration(bytes + at, snapshot.begin + at, shape, image);
    }
    if (all) candidates.push_back(snapshot.begin + i);
    if (candidates.size() == kMaxCandidates) break;
  }
  return candidates;
}

// Those that have none before them in the same row of heads: from 3.14 on the
// permanent generation stands behind the three in the same shape, and one of
// them may for a moment not look like a head.
std::vector<uint64_t> FirstOfEachRow(const std::vector<uint64_t>& candidates,
                                     const GenerationShape& shape) {
  if (shape != kShape) return candidates;
  std::vector<uint64_t> first;
  for (const uint64_t address : candidates) {
    if (!absl::c_binary_search(candidates, address - shape.size)) {
      first.push_back(address);
    }
  }
  return first;
}

absl::StatusOr<bool> AreListHeads(const Memory& memory, uint64_t address,
                                  const GenerationShape& shape) {
  // The oldest first, which changes least.
  for (uint64_t i = kGenerations; i-- > 0;) {
    absl::StatusOr<bool> head = IsListHead(memory, address + i * shape.size);
    if (!head.ok() || !*head) return head;
  }
  return true;
}

// Tells the incremental collector of 3.14.0 to 3.14.4 from all others of its
// shape: the others keep a pointer to their young generation (`generation0`),
// and only behind its three stands a fourth, the permanent one, without one.
absl::StatusOr<GenerationShape> WithVisitedSpace(const Memory& memory,
                                                 uint64_t address) {
  const absl::StatusOr<bool> fourth =
      IsListHead(memory, address + kGenerations * kShape.size);
  if (!fourth.ok()) return fourth.status();
  if (!*fourth) return kShape;
  constexpr uint64_t kBehind = uint64_t{4} * kShape.size;
  constexpr uint64_t kFarthest = 512;  // sizeof(struct _gc_runtime_state)
  const absl::StatusOr<Snapshot> behind = TakeSnapshot(
      memory, (address + kBehind) / kWord * kWord, address + kFarthest);
  if (!behind.ok()) return behind.status();
  const auto* bytes = reinterpret_cast<const char*>(behind->words.data());
  const size_t size = behind->words.size() * kWord;
  for (size_t i = 0; i + kWord <= size; i += kAlignment) {
    if (LoadWord(bytes + i) == address) return kShape;
  }
  return kIncrementalShape;
}

absl::Status NothingFound() {
  return absl::UnavailableError(
      "no collector state of a known shape is in its memory");
}

// Whether the state of an interpreter's first thread is at `thread`: {prev,
// next, interpreter}, in 2.7 {next, interpreter}.
absl::StatusOr<bool> IsFirstThread(const Memory& memory, uint64_t thread,
                                   uint64_t interpreter, bool may_be_27) {
  const auto words = memory.Read<std::array<uint64_t, 3>>(thread);
  if (absl::IsNotFound(words.status())) return words.status();
  if (!words.ok()) return false;
  const auto [first, second, third] = *words;
  return (first == 0 && third == interpreter) ||
         (may_be_27 && second == interpreter);
}

}  // namespace

absl::StatusOr<bool> IsHeapInterpreter(const Memory& memory, uint64_t address) {
  const auto words = memory.Read<std::array<uint64_t, 2>>(address);
  if (absl::IsNotFound(words.status())) return words.status();
  if (!words.ok()) return false;
  const auto [next, thread] = *words;
  // Two neighbours in a ring look alike but for the first word.
  if (!IsPointer(thread) || thread == address || thread == next) return false;
  return IsFirstThread(memory, thread, address, /*may_be_27=*/true);
}

namespace {

// Whether this is a state of 3.11 or later, with its threads anywhere near the
// beginning; and another one at `other`, with them in the same place.
absl::StatusOr<bool> AreInterpreters(const Memory& memory,
                                     const Snapshot& state, uint64_t other) {
  const uint64_t address = state.begin;
  for (size_t i = 0; i < state.words.size(); ++i) {
    const uint64_t word = state.words[i];
    if (!IsPointer(word) || word == address) continue;
    absl::StatusOr<bool> first =
        IsFirstThread(memory, word, address, /*may_be_27=*/false);
    if (!first.ok()) return first;
    if (!*first) continue;
    if (other == address) return true;
    const auto thread = memory.Read<uint64_t>(other + i * kWord);
    if (absl::IsNotFound(thread.status())) return thread.status();
    if (!thread.ok()) continue;
    first = IsFirstThread(memory, *thread, other, /*may_be_27=*/false);
    if (!first.ok() || *first) return first;
  }
  return false;
}

// Whether an interpreter's state of before 3.7, and not a thread's, which in
// 2.7 begins alike: {next, threads, modules, ., sysdict or builtins}.
absl::StatusOr<bool> IsOldInterpreter(const Memory& memory, uint64_t address) {
  const auto words = memory.Read<std::array<uint64_t, 5>>(address);
  if (absl::IsNotFound(words.status())) return words.status();
  if (!words.ok() || !IsPointer((*words)[2]) || !IsPointer((*words)[4])) {
    return false;
  }
  return IsHeapInterpreter(memory, address);
}

bool IsData(const Image& image, uint64_t address) {
  return absl::c_any_of(image.data(), [&](const DataSegment& segment) {
    return address >= segment.begin && address < segment.end;
  });
}

// The pointer to the main interpreter's state, as it is in the image's data.
struct InterpreterPointer {
  uint64_t address;
  uint64_t interpreter;
  uint64_t first;  // of all interpreters, the one that was made last
};

// From 3.7 on: {head, main, next_id}. `is_only` tells whether there is but one
// interpreter.
std::vector<InterpreterPointer> RuntimePointers(
    const std::vector<Snapshot>& data, bool is_only) {
  std::vector<InterpreterPointer> pointers;
  for (const Snapshot& snapshot : data) {
    for (size_t i = 0; i + 2 < snapshot.words.size(); ++i) {
      const uint64_t head = snapshot.words[i];
      const uint64_t main = snapshot.words[i + 1];
      const uint64_t next_id = snapshot.words[i + 2];
      if (next_id != 0 && next_id <= kMaxNextId && IsPointer(head) &&
          IsPointer(main) && (head == main) == is_only) {
        pointers.push_back({.address = snapshot.begin + (i + 1) * kWord,
                            .interpreter = main,
                            .first = head});
      }
    }
  }
  return pointers;
}

class StructureSearch {
 public:
  StructureSearch(const Memory& memory, const Image& image,
                  const std::vector<Snapshot>& data)
      : memory_(memory), image_(image), data_(data) {}

  absl::StatusOr<Location> Find() {
    for (const Snapshot& snapshot : data_) {
      const absl::StatusOr<FoundGenerations> found =
          FindGenerations(memory_, snapshot, image_);
      if (absl::IsNotFound(found.status())) return found.status();
      if (!found.ok()) continue;
      static_ = *found;
      break;
    }
    for (const bool is_only : {true, false}) {
      for (const InterpreterPointer& pointer :
           RuntimePointers(data_, is_only)) {
        const absl::StatusOr<bool> found = TryRuntimePointer(pointer);
        if (!found.ok()) return found.status();
        if (*found) return *result_;
      }
      // One that had none of 3.7 is older.
      if (static_ && static_->shape != kShape) {
        const absl::Status status = FindOldPointer();
        if (!status.ok()) return status;
        if (result_) return *result_;
      }
    }
    return NothingFound();
  }

 private:
  absl::StatusOr<bool> TryRuntimePointer(const InterpreterPointer& pointer) {
    const uint64_t interpreter = pointer.interpreter;
    const bool in_image = image_.Contains(interpreter, 0);
    if (in_image && !IsData(image_, interpreter)) return false;
    if (!in_image) {  // before 3.11
      for (const uint64_t each : {interpreter, pointer.first}) {
        absl::StatusOr<bool> is_interpreter = IsHeapInterpreter(memory_, each);
        if (!is_interpreter.ok() || !*is_interpreter) return is_interpreter;
      }
    }
    const absl::StatusOr<Snapshot> state =
        TakeSnapshot(memory_, interpreter, interpreter + kMaxGenerationsOffset);
    if (!state.ok()) return state.status();
    const absl::StatusOr<FoundGenerations> found =
        FindGenerations(memory_, *state, image_);
    if (absl::IsNotFound(found.status())) return found.status();
    if (found.ok() && found->shape.size == kShape.size) {  // 3.9 and later
      if (in_image) {
        absl::StatusOr<bool> are_interpreters =
            AreInterpreters(memory_, *state, pointer.first);
        if (!are_interpreters.ok() || !*are_interpreters) {
          return are_interpreters;
        }
      }
      Accept(pointer, *found, /*in_interpreter=*/true);
      return true;
    }
    if (!in_image && static_) {  // 3.7, 3.8
      Accept(pointer, *static_, /*in_interpreter=*/false);
      return true;
    }
    return false;
  }

  absl::Status FindOldPointer() {
    for (const Snapshot& snapshot : data_) {
      const absl::StatusOr<uint64_t> address =
          FindInterpreterPointer(memory_, snapshot, image_);
      if (absl::IsNotFound(address.status())) return address.status();
      if (!address.ok()) continue;
      Accept({.address = *address, .interpreter = 0, .first = 0}, *static_,
             /*in_interpreter=*/false);
      result_->before37 = true;
      return absl::OkStatus();
    }
    return absl::OkStatus();
  }

  void Accept(const InterpreterPointer& pointer, const FoundGenerations& found,
              bool in_interpreter) {
    result_ = Location{
        .discovery = Discovery::kStructure,
        .interpreter = pointer.address - image_.base(),
        .in_interpreter = in_interpreter,
        .generations = found.address -
                       (in_interpreter ? pointer.interpreter : image_.base()),
        .shape = found.shape};
  }

  const Memory& memory_;
  const Image& image_;
  const std::vector<Snapshot>& data_;
  std::optional<FoundGenerations> static_;  // in the image's data
  std::optional<Location> result_;
};

}  // namespace

absl::StatusOr<std::vector<Snapshot>> TakeDataSnapshots(const Memory& memory,
                                                        const Image& image) {
  std::vector<std::pair<uint64_t, uint64_t>> parts;
  for (const DataSegment& segment : image.data()) {
    parts.emplace_back(segment.zeros, segment.end);
  }
  for (const DataSegment& segment : image.data()) {
    parts.emplace_back(segment.begin, segment.zeros);
  }
  std::vector<Snapshot> data;
  uint64_t left = kMaxImageData;
  for (const auto& [begin, end] : parts) {
    const uint64_t size = std::min(end - begin, left);
    absl::StatusOr<Snapshot> snapshot =
        TakeSnapshot(memory, begin, begin + size);
    if (!snapshot.ok()) return snapshot.status();
    data.push_back(*std::move(snapshot));
    left -= size;
  }
  return data;
}

uint64_t FindDebugOffsets(const std::vector<Snapshot>& data) {
  for (const Snapshot& snapshot : data) {
    const auto found = absl::c_find(snapshot.words, kDebugOffsetsCookie);
    if (found != snapshot.words.end()) {
      return snapshot.begin +
             static_cast<uint64_t>(found - snapshot.words.begin()) * kWord;
    }
  }
  return 0;
}

absl::StatusOr<FoundGenerations> FindGenerations(const Memory& memory,
                                                 const Snapshot& snapshot,
                                                 const Image& image) {
  std::vector<FoundGenerations> candidates;
  for (const GenerationShape& shape : {kShape, kPaddedShape, kPython2Shape}) {
    for (const uint64_t address :
         FirstOfEachRow(Candidates(snapshot, shape, image), shape)) {
      candidates.push_back({.address = address, .shape = shape});
    }
  }
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    for (const FoundGenerations& candidate : candidates) {
      const absl::StatusOr<bool> heads =
          AreListHeads(memory, candidate.address, candidate.shape);
      if (!heads.ok()) return heads.status();
      if (!*heads) continue;
      const absl::Status proof =
          ProveGenerations(memory, candidate.address, candidate.shape);
      if (absl::IsNotFound(proof)) return proof;
      if (!proof.ok()) continue;
      const absl::StatusOr<bool> empty =
          AreEmpty(memory, candidate.address, candidate.shape);
      if (absl::IsNotFound(empty.status())) return empty.status();
      if (!empty.ok() || *empty) continue;
      if (candidate.shape != kShape) return candidate;
      const absl::StatusOr<GenerationShape> shape =
          WithVisitedSpace(memory, candidate.address);
      if (!shape.ok()) return shape.status();
      return FoundGenerations{.address = candidate.address, .shape = *shape};
    }
  }
  return NothingFound();
}

absl::StatusOr<uint64_t> FindInterpreterPointer(const Memory& memory,
                                                const Snapshot& snapshot,
                                                const Image& image) {
  for (size_t i = 0; i < snapshot.words.size(); ++i) {
    const uint64_t word = snapshot.words[i];
    if (!IsPointer(word) || image.Contains(word, 0)) continue;
    const absl::StatusOr<bool> is_interpreter = IsOldInterpreter(memory, word);
    if (!is_interpreter.ok()) return is_interpreter.status();
    if (*is_interpreter) return snapshot.begin + i * kWord;
  }
  return NothingFound();
}

absl::StatusOr<Location> FindByStructure(const Memory& memory,
                                         const Image& image,
                                         const std::vector<Snapshot>& data) {
  return StructureSearch(memory, image, data).Find();
}

}  // namespace pycheck

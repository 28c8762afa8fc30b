#include "lib/cpython/generations.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace pycheck {
namespace {

// Room for the generations of any shape, and the incremental collector's
// visited_space behind them.
constexpr size_t kMaxGenerationsSize = 256;
using Buffer = std::array<char, kMaxGenerationsSize>;
static_assert(kGenerations * kPaddedShape.size <= kMaxGenerationsSize);
static_assert(kIncrementalShape.visited_space + sizeof(int32_t) <=
              kMaxGenerationsSize);

struct ListHead {
  uint64_t next;
  uint64_t prev;
};

struct Generation {
  ListHead head;
  int32_t threshold;
  int32_t count;
};
using Generations = std::array<Generation, kGenerations>;

// PREV_MASK_COLLECTING, PREV_MASK_FINALIZED, NEXT_MASK_UNREACHABLE,
// _PyGC_NEXT_MASK_OLD_SPACE_1.
uint64_t WithoutFlags(uint64_t link) { return link & ~uint64_t{3}; }

template <typename T>
T Load(const Buffer& bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

absl::Status Implausible(uint64_t address) {
  return absl::UnavailableError(absl::StrCat(
      "no collector state of a known shape at 0x", absl::Hex(address)));
}

// The generations in the order of gc.get_count().
absl::StatusOr<Generations> ReadGenerations(const Memory& memory,
                                            uint64_t address,
                                            const GenerationShape& shape) {
  Buffer bytes;
  const size_t size = shape.visited_space != 0
                          ? shape.visited_space + sizeof(int32_t)
                          : kGenerations * shape.size;
  absl::Status status =
      memory.Read(address, absl::MakeSpan(bytes).subspan(0, size));
  if (!status.ok()) return status;
  Generations generations;
  for (size_t i = 0; i < generations.size(); ++i) {
    const size_t at = i * shape.size;
    generations[i] = {
        .head = Load<ListHead>(bytes, at),
        .threshold = Load<int32_t>(bytes, at + shape.threshold),
        .count = Load<int32_t>(bytes, at + shape.threshold + sizeof(int32_t)),
    };
  }
  if (shape.visited_space != 0) {
    const auto visited = Load<uint32_t>(bytes, shape.visited_space);
    if (visited > 1) return Implausible(address);
    if (visited == 1) std::swap(generations[1], generations[2]);
  }
  return generations;
}

// The same, with the generations in the order in which they stand.
GenerationShape InPlace(const GenerationShape& shape) {
  return {.size = shape.size, .threshold = shape.threshold};
}

bool IsLink(uint64_t link) { return WithoutFlags(link) != 0; }

bool IsPlausible(const Generation& generation) {
  return IsLink(generation.head.next) && IsLink(generation.head.prev) &&
         generation.threshold >= 0 && generation.count >= 0;
}

// How many of a list's two ends lead back to its head.
absl::StatusOr<int> CountLinkedEnds(const Memory& memory, uint64_t head,
                                    const ListHead& links) {
  const auto next = memory.Read<ListHead>(WithoutFlags(links.next));
  if (absl::IsNotFound(next.status())) return next.status();
  const auto prev = memory.Read<ListHead>(WithoutFlags(links.prev));
  if (absl::IsNotFound(prev.status())) return prev.status();
  return (next.ok() && WithoutFlags(next->prev) == head ? 1 : 0) +
         (prev.ok() && WithoutFlags(prev->next) == head ? 1 : 0);
}

absl::Status TryProof(const Memory& memory, uint64_t address,
                      const GenerationShape& shape) {
  const auto generations = ReadGenerations(memory, address, InPlace(shape));
  if (!generations.ok()) return generations.status();
  int loose_ends = 0;
  for (size_t i = 0; i < generations->size(); ++i) {
    const Generation& generation = (*generations)[i];
    if (!IsPlausible(generation)) return Implausible(address);
    const absl::StatusOr<int> linked =
        CountLinkedEnds(memory, address + i * shape.size, generation.head);
    if (!linked.ok()) return linked.status();
    loose_ends += 2 - *linked;
    if (loose_ends > 1) return Implausible(address);
  }
  return absl::OkStatus();
}

absl::StatusOr<GcCounts> ReadCountsOnce(const Memory& memory, uint64_t address,
                                        const GenerationShape& shape) {
  const auto generations = ReadGenerations(memory, address, shape);
  if (!generations.ok()) {
    return absl::IsNotFound(generations.status()) ? generations.status()
                                                  : Implausible(address);
  }
  GcCounts counts;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (!IsPlausible((*generations)[i])) return Implausible(address);
    counts[i] = (*generations)[i].count;
  }
  return counts;
}

}  // namespace

absl::Status ProveGenerations(const Memory& memory, uint64_t address,
                              const GenerationShape& shape) {
  for (int attempt = 0; attempt < kProofAttempts; ++attempt) {
    absl::Status status = TryProof(memory, address, shape);
    if (status.ok() || absl::IsNotFound(status)) return status;
  }
  return Implausible(address);
}

absl::StatusOr<bool> IsListHead(const Memory& memory, uint64_t address) {
  const auto head = memory.Read<ListHead>(address);
  if (absl::IsNotFound(head.status())) return head.status();
  if (!head.ok() || !IsLink(head->next) || !IsLink(head->prev)) return false;
  const absl::StatusOr<int> linked = CountLinkedEnds(memory, address, *head);
  if (!linked.ok()) return linked.status();
  return *linked > 0;
}

absl::StatusOr<bool> AreEmpty(const Memory& memory, uint64_t address,
                              const GenerationShape& shape) {
  const auto generations = ReadGenerations(memory, address, InPlace(shape));
  if (absl::IsNotFound(generations.status())) return generations.status();
  if (!generations.ok()) return Implausible(address);
  for (size_t i = 0; i < generations->size(); ++i) {
    if ((*generations)[i].head.next != address + i * shape.size) return false;
  }
  // It follows at once (3.14 and later), or behind a pointer (`generation0`)
  // and what aligns the two.
  constexpr uint64_t kFarthest = 16;
  const uint64_t behind = address + kGenerations * shape.size;
  for (uint64_t permanent = behind; permanent <= behind + kFarthest;
       permanent += sizeof(int32_t)) {
    const auto head = memory.Read<ListHead>(permanent);
    if (absl::IsNotFound(head.status())) return head.status();
    if (!head.ok() || WithoutFlags(head->next) == permanent) continue;
    const absl::StatusOr<bool> is_list = IsListHead(memory, permanent);
    if (!is_list.ok()) return is_list.status();
    if (*is_list && (*generations)[0].threshold > 0) return false;
  }
  return true;
}

absl::StatusOr<GcCounts> ReadGcCounts(const Memory& memory, uint64_t address,
                                      const GenerationShape& shape) {
  absl::StatusOr<GcCounts> before = ReadCountsOnce(memory, address, shape);
  for (int attempt = 0; attempt < kProofAttempts; ++attempt) {
    if (!before.ok()) return before;
    absl::StatusOr<GcCounts> counts = ReadCountsOnce(memory, address, shape);
    if (!counts.ok()) return counts;
    if ((*counts)[1] == (*before)[1] && (*counts)[2] == (*before)[2]) {
      return counts;
    }
    before = counts;
  }
  return absl::AbortedError("its counts never stood still");
}

}  // namespace pycheck

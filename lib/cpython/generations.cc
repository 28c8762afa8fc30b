#include "lib/cpython/generations.h"

#include <cstring>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace pycheck {
namespace {

// Room for three generations of any known layout; 2.7's and 3.7's have 48
// bytes each.
constexpr size_t kMaxGenerationSize = 64;
using Buffer = std::array<char, kGenerations * kMaxGenerationSize>;

struct ListHead {
  uint64_t next;
  uint64_t prev;
};

struct Generation {
  ListHead head;
  int32_t threshold;
  int32_t count;
};

// PREV_MASK_COLLECTING, PREV_MASK_FINALIZED, NEXT_MASK_UNREACHABLE.
uint64_t WithoutFlags(uint64_t link) { return link & ~uint64_t{3}; }

template <typename T>
T Load(const Buffer& bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

absl::StatusOr<std::array<Generation, kGenerations>> ReadGenerations(
    const Memory& memory, uint64_t address, const Layout& layout) {
  const size_t size = layout.generation_size;
  if (size > kMaxGenerationSize ||
      layout.count + sizeof(int32_t) > kMaxGenerationSize ||
      layout.threshold + sizeof(int32_t) > kMaxGenerationSize) {
    return absl::InternalError("layout larger than its buffer");
  }
  Buffer bytes;
  absl::Status status =
      memory.Read(address, absl::MakeSpan(bytes).subspan(0, 3 * size));
  if (!status.ok()) return status;
  std::array<Generation, kGenerations> generations;
  for (size_t i = 0; i < generations.size(); ++i) {
    generations[i] = {
        .head = Load<ListHead>(bytes, i * size),
        .threshold = Load<int32_t>(bytes, i * size + layout.threshold),
        .count = Load<int32_t>(bytes, i * size + layout.count),
    };
  }
  return generations;
}

bool IsLink(uint64_t link) {
  const uint64_t address = WithoutFlags(link);
  return address != 0 && address % sizeof(uint64_t) == 0;
}

bool IsPlausible(const Generation& generation) {
  return IsLink(generation.head.next) && IsLink(generation.head.prev) &&
         generation.threshold >= 0 && generation.count >= 0;
}

absl::Status Implausible(uint64_t address) {
  return absl::UnavailableError(absl::StrCat(
      "no collector state of a known shape at 0x", absl::Hex(address)));
}

// How many of a list's two ends lead back to its head.
absl::StatusOr<int> CountLinkedEnds(const Memory& memory, uint64_t head,
                                    const ListHead& links) {
  const auto next = memory.Read<ListHead>(WithoutFlags(links.next));
  if (!next.ok()) return next.status();
  const auto prev = memory.Read<ListHead>(WithoutFlags(links.prev));
  if (!prev.ok()) return prev.status();
  return (WithoutFlags(next->prev) == head ? 1 : 0) +
         (WithoutFlags(prev->next) == head ? 1 : 0);
}

absl::Status TryProof(const Memory& memory, uint64_t address,
                      const Layout& layout) {
  const auto generations = ReadGenerations(memory, address, layout);
  if (!generations.ok()) return generations.status();
  int loose_ends = 0;
  for (size_t i = 0; i < generations->size(); ++i) {
    const Generation& generation = (*generations)[i];
    if (!IsPlausible(generation)) return Implausible(address);
    const absl::StatusOr<int> linked = CountLinkedEnds(
        memory, address + i * layout.generation_size, generation.head);
    if (!linked.ok()) return linked.status();
    loose_ends += 2 - *linked;
  }
  return loose_ends <= 1 ? absl::OkStatus() : Implausible(address);
}

}  // namespace

absl::Status ProveGenerations(const Memory& memory, uint64_t address,
                              const Layout& layout) {
  for (int attempt = 0; attempt < kProofAttempts; ++attempt) {
    absl::Status status = TryProof(memory, address, layout);
    if (status.ok() || absl::IsNotFound(status)) return status;
  }
  return Implausible(address);
}

absl::StatusOr<GcCounts> ReadGcCounts(const Memory& memory, uint64_t address,
                                      const Layout& layout) {
  const auto generations = ReadGenerations(memory, address, layout);
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

}  // namespace pycheck

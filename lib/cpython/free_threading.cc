#include "lib/cpython/free_threading.h"

#include <algorithm>
#include <array>
#include <vector>

#include "lib/cpython/snapshot.h"

namespace pycheck {
namespace {

constexpr FreeThreadedLayout kLayouts[] = {
#include "lib/cpython/free_threaded_layouts.inc"
};

// Linux allows 32,768 threads by default; a list that goes on for longer has no
// end.
constexpr int kMaxThreads = 1 << 16;

constexpr uint64_t kWord = sizeof(uint64_t);

// What a thread's state has before its own count, and in its heaps, is less.
constexpr uint64_t kFarthestAllocCount = uint64_t{4} << 10;
constexpr uint64_t kHeapsSize = uint64_t{64} << 10;

// How often the counts are read again to have them exact.
constexpr int kExactAttempts = 8;

// struct gc_generation, whose list is not used.
struct Generation {
  uint64_t next;
  uint64_t prev;
  int32_t threshold;
  int32_t count;
};
using Generations = std::array<Generation, kGenerations>;

// The beginning of a thread's state (struct _ts, cpython/pystate.h).
struct ThreadHead {
  uint64_t prev;
  uint64_t next;
  uint64_t interpreter;
};

// A thread's own count never passes the threshold at which it adds it to the
// young count.
bool IsOwnCount(int64_t count) { return count >= -512 && count <= 512; }

bool IsWithin(uint64_t address, uint64_t begin, uint64_t end) {
  return address >= begin && address < end && address % kWord == 0;
}

absl::Status Implausible() {
  return absl::UnavailableError("no free-threaded collector of a known shape");
}

// With a threshold, as all but the permanent generation have by default.
bool IsGeneration(const Generation& generation) {
  return generation.next == 0 && generation.prev == 0 &&
         generation.threshold > 0;
}

bool ArePlausible(const Generations& generations) {
  return std::all_of(generations.begin(), generations.end(),
                     [](const Generation& generation) {
                       return generation.next == 0 && generation.prev == 0 &&
                              generation.threshold >= 0;
                     });
}

absl::StatusOr<Generations> ReadGenerations(const Memory& memory,
                                            uint64_t interpreter,
                                            const FreeThreading& where) {
  absl::StatusOr<Generations> generations =
      memory.Read<Generations>(interpreter + where.generations);
  if (absl::IsNotFound(generations.status())) return generations;
  if (!generations.ok() || !ArePlausible(*generations)) return Implausible();
  return generations;
}

// The sum of the threads' own counts.
absl::StatusOr<int64_t> AddThreads(const Memory& memory, uint64_t interpreter,
                                   const FreeThreading& where) {
  absl::StatusOr<uint64_t> thread =
      memory.Read<uint64_t>(interpreter + where.threads_head);
  if (!thread.ok()) return thread.status();
  if (*thread == 0) return Implausible();
  int64_t sum = 0;
  uint64_t previous = 0;
  for (int i = 0; i < kMaxThreads; ++i) {
    const auto head = memory.Read<ThreadHead>(*thread);
    if (!head.ok()) return head.status();
    if (head->interpreter != interpreter || head->prev != previous) {
      return Implausible();
    }
    const auto count = memory.Read<int64_t>(*thread + where.alloc_count);
    if (!count.ok()) return count.status();
    if (!IsOwnCount(*count)) return Implausible();
    sum += *count;
    if (head->next == 0) return sum;
    previous = *thread;
    thread = head->next;
  }
  return Implausible();
}

struct Sum {
  GcCounts counts;
  bool exact;
};

absl::StatusOr<Sum> TrySum(const Memory& memory, uint64_t interpreter,
                           const FreeThreading& where) {
  const auto before = ReadGenerations(memory, interpreter, where);
  if (!before.ok()) return before.status();
  const absl::StatusOr<int64_t> unflushed =
      AddThreads(memory, interpreter, where);
  if (!unflushed.ok()) return unflushed.status();
  const auto after = ReadGenerations(memory, interpreter, where);
  if (!after.ok()) return after.status();
  for (size_t i = 1; i < after->size(); ++i) {
    if ((*after)[i].count != (*before)[i].count) return Implausible();
  }
  const int64_t young = (*after)[0].count + *unflushed;
  return Sum{.counts = {static_cast<int32_t>(young), (*after)[1].count,
                        (*after)[2].count},
             .exact = (*after)[0].count == (*before)[0].count};
}

}  // namespace

absl::Span<const FreeThreadedLayout> KnownFreeThreadedLayouts() {
  return kLayouts;
}

absl::Status ProveYoungGeneration(const Memory& memory, uint64_t address) {
  // The one before, if there is one, and the young one. Before the young one of
  // 3.15 there may be zeros and a flag.
  constexpr int32_t kFlag = 1;
  const auto row =
      memory.Read<std::array<Generation, 2>>(address - sizeof(Generation));
  if (absl::IsNotFound(row.status())) return row.status();
  if (!row.ok() || !IsGeneration((*row)[1]) ||
      (IsGeneration((*row)[0]) && (*row)[0].threshold != kFlag)) {
    return Implausible();
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> FindAllocCount(const Memory& memory,
                                        uint64_t interpreter,
                                        uint64_t threads_head) {
  const absl::StatusOr<uint64_t> thread =
      memory.Read<uint64_t>(interpreter + threads_head);
  if (absl::IsNotFound(thread.status())) return thread.status();
  if (!thread.ok() || *thread == 0) return Implausible();
  const absl::StatusOr<Snapshot> state =
      TakeSnapshot(memory, *thread, *thread + kFarthestAllocCount);
  if (!state.ok()) return state.status();
  const std::vector<uint64_t>& words = state->words;
  for (size_t i = 3; i + 2 < words.size(); ++i) {
    const uint64_t heaps = *thread + (i + 2) * kWord;
    const uint64_t heap = words[i + 1];
    const uint64_t heap_owner = words[i + 2];
    if (!IsOwnCount(static_cast<int64_t>(words[i])) ||
        !IsWithin(heap, heaps, heaps + kHeapsSize) ||
        !IsWithin(heap_owner, heaps, heaps + kHeapsSize)) {
      continue;
    }
    const auto owner = memory.Read<uint64_t>(heap);
    if (absl::IsNotFound(owner.status())) return owner.status();
    if (!owner.ok() || *owner != heap_owner) continue;
    // From 3.14 on one field stands between the two.
    for (const size_t node : {i - 2, i - 3}) {
      absl::StatusOr<bool> is_node = IsListHead(memory, *thread + node * kWord);
      if (!is_node.ok()) return is_node.status();
      if (*is_node) return i * kWord;
    }
  }
  return Implausible();
}

absl::StatusOr<GcCounts> ReadFreeThreadedCounts(const Memory& memory,
                                                uint64_t interpreter,
                                                const FreeThreading& where) {
  absl::StatusOr<Sum> best = Implausible();
  for (int attempt = 0; attempt < kProofAttempts; ++attempt) {
    absl::StatusOr<Sum> sum = TrySum(memory, interpreter, where);
    if (absl::IsNotFound(sum.status())) return sum.status();
    if (sum.ok()) best = sum;
    if (best.ok() && (best->exact || attempt >= kExactAttempts)) break;
  }
  if (!best.ok()) return Implausible();
  return best->counts;
}

}  // namespace pycheck

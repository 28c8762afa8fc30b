#ifndef PYCHECK_TESTS_TESTING_SYNTHETIC_COLLECTOR_H_
#define PYCHECK_TESTS_TESTING_SYNTHETIC_COLLECTOR_H_

#include <array>
#include <cstdint>
#include <vector>

#include "lib/cpython/generations.h"
#include "tests/testing/fake_memory.h"

namespace pycheck {

// Makes `after` the next of `before`.
inline void Link(FakeMemory& memory, uint64_t before, uint64_t after) {
  memory.Put(before, after);
  memory.Put(after + 8, before);
}

// A list of `objects` with its head at `head`.
inline void PutList(FakeMemory& memory, uint64_t head,
                    const std::vector<uint64_t>& objects) {
  uint64_t last = head;
  for (const uint64_t object : objects) {
    Link(memory, last, object);
    last = object;
  }
  Link(memory, last, head);
}

// An object of each generation is at `objects` and 64 bytes after another.
inline void PutGenerations(FakeMemory& memory, uint64_t address,
                           const GenerationShape& shape, uint64_t objects,
                           const GcCounts& counts = {123, 4, 5}) {
  constexpr std::array<int32_t, kGenerations> kThresholds = {700, 10, 10};
  for (int i = 0; i < kGenerations; ++i) {
    const uint64_t head = address + i * shape.size;
    PutList(memory, head, {objects + i * 64});
    memory.Put(head + shape.threshold, kThresholds[i]);
    memory.Put(head + shape.threshold + 4, counts[i]);
  }
}

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_SYNTHETIC_COLLECTOR_H_

#include "lib/cpython/snapshot.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace pycheck {
namespace {

constexpr uint64_t kWord = sizeof(uint64_t);
constexpr uint64_t kPage = 4096;
constexpr uint64_t kChunk = uint64_t{256} << 10;

}  // namespace

absl::StatusOr<Snapshot> TakeSnapshot(const Memory& memory, uint64_t begin,
                                      uint64_t end) {
  const uint64_t to_word = (kWord - begin % kWord) % kWord;
  Snapshot snapshot{.begin = begin + to_word, .words = {}};
  if (end <= begin || end - begin <= to_word) return snapshot;
  begin += to_word;
  snapshot.words.resize((end - begin) / kWord);
  const auto bytes =
      absl::MakeSpan(reinterpret_cast<char*>(snapshot.words.data()),
                     snapshot.words.size() * kWord);
  uint64_t step = kChunk;
  for (uint64_t at = 0; at < bytes.size();) {
    const uint64_t to_boundary = step - (begin + at) % step;
    const absl::Span<char> part = bytes.subspan(at, to_boundary);
    const absl::Status status = memory.Read(begin + at, part);
    if (absl::IsNotFound(status)) return status;
    if (!status.ok() && step > kPage) {
      step = kPage;  // a part of it may be readable
      continue;
    }
    if (!status.ok()) std::fill(part.begin(), part.end(), '\0');
    at += part.size();
  }
  return snapshot;
}

}  // namespace pycheck

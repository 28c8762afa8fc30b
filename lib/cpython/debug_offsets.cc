#include "lib/cpython/debug_offsets.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "absl/status/status.h"

namespace pycheck {
namespace {

constexpr uint64_t kMaxSize = uint64_t{64} << 20;

// A process may have many interpreters; the main one is their last.
constexpr int kMaxInterpreters = 4096;

// Where each stands, counted in numbers of 64 bits.
enum Field {
  kCookie,
  kVersion,
  kFreeThreaded,
  kRuntimeSize,
  kRuntimeFinalizing,
  kInterpretersHead,
  kInterpreterSize,
  kId,
  kNext,
  kThreadsHead,
  kGc313,  // from 3.14 on the main thread comes before it
  kGc,
  kFieldCount,
};
using Fields = std::array<uint64_t, kFieldCount>;

constexpr uint32_t kVersion314 = 0x030e0000;

bool AreWithin(uint64_t size, std::initializer_list<uint64_t> offsets) {
  return size >= sizeof(uint64_t) && size <= kMaxSize &&
         std::all_of(offsets.begin(), offsets.end(), [&](uint64_t offset) {
           return offset % sizeof(uint64_t) == 0 &&
                  offset <= size - sizeof(uint64_t);
         });
}

}  // namespace

absl::StatusOr<DebugOffsets> ReadDebugOffsets(const Memory& memory,
                                              uint64_t address) {
  const absl::StatusOr<Fields> fields = memory.Read<Fields>(address);
  if (absl::IsNotFound(fields.status())) return fields.status();
  if (!fields.ok() || (*fields)[kCookie] != kDebugOffsetsCookie) {
    return absl::FailedPreconditionError("no debug offsets");
  }
  const auto version = static_cast<uint32_t>((*fields)[kVersion]);
  const DebugOffsets offsets{
      .version_hex = version,
      .free_threaded = (*fields)[kFreeThreaded] != 0,
      .interpreters_head = (*fields)[kInterpretersHead],
      .interpreter_size = (*fields)[kInterpreterSize],
      .id = (*fields)[kId],
      .next = (*fields)[kNext],
      .threads_head = (*fields)[kThreadsHead],
      .gc = (*fields)[version < kVersion314 ? kGc313 : kGc],
  };
  // The pointer to the main interpreter follows that to the first.
  if (!AreWithin((*fields)[kRuntimeSize],
                 {offsets.interpreters_head,
                  offsets.interpreters_head + sizeof(uint64_t)}) ||
      !AreWithin(
          offsets.interpreter_size,
          {offsets.id, offsets.next, offsets.threads_head, offsets.gc})) {
    return absl::InvalidArgumentError("debug offsets out of bounds");
  }
  return offsets;
}

absl::StatusOr<uint64_t> FindMainInterpreter(const Memory& memory,
                                             uint64_t runtime,
                                             const DebugOffsets& offsets) {
  uint64_t link = runtime + offsets.interpreters_head;
  for (int i = 0; i < kMaxInterpreters; ++i) {
    const absl::StatusOr<uint64_t> interpreter = memory.Read<uint64_t>(link);
    if (absl::IsNotFound(interpreter.status())) return interpreter.status();
    if (!interpreter.ok() || *interpreter == 0) break;
    const absl::StatusOr<int64_t> id =
        memory.Read<int64_t>(*interpreter + offsets.id);
    if (absl::IsNotFound(id.status())) return id.status();
    if (id.ok() && *id == 0) return *interpreter;
    link = *interpreter + offsets.next;
  }
  return absl::UnavailableError(
      "its interpreter is not initialised, or not any more");
}

}  // namespace pycheck

#include "lib/cpython/location.h"

#include "absl/status/status.h"

namespace pycheck {

std::string_view ToString(Discovery discovery) {
  switch (discovery) {
    case Discovery::kLayout:
      return "layout";
    case Discovery::kDebugOffsets:
      return "debug offsets";
    case Discovery::kStructure:
      return "structure";
  }
  return "";
}

absl::StatusOr<uint64_t> ReadInterpreterPointer(const Memory& memory,
                                                uint64_t address) {
  const absl::StatusOr<uint64_t> state = memory.Read<uint64_t>(address);
  if (absl::IsNotFound(state.status())) return state.status();
  if (!state.ok() || *state == 0) {
    return absl::UnavailableError(
        "its interpreter is not initialised, or not any more");
  }
  return *state;
}

absl::StatusOr<CollectorState> Locate(const Memory& memory, uint64_t base,
                                      const Location& location) {
  CollectorState state{.interpreter_pointer = base + location.interpreter,
                       .interpreter = 0,
                       .generations = base + location.generations,
                       .shape = location.shape,
                       .free_threading = location.free_threading,
                       .before37 = location.before37};
  const absl::StatusOr<uint64_t> interpreter =
      ReadInterpreterPointer(memory, state.interpreter_pointer);
  if (!interpreter.ok()) return interpreter.status();
  state.interpreter = *interpreter;
  if (location.in_interpreter) {
    state.generations = *interpreter + location.generations;
  }
  const absl::Status proof =
      location.free_threading
          ? ReadFreeThreadedCounts(memory, *interpreter,
                                   *location.free_threading)
                .status()
          : ProveGenerations(memory, state.generations, state.shape);
  if (!proof.ok()) return proof;
  if (!location.free_threading) {
    // Where nothing has been allocated nothing has been initialised, and a row
    // of nodes that are linked to themselves is no collector.
    const absl::StatusOr<bool> empty =
        AreEmpty(memory, state.generations, state.shape);
    if (!empty.ok()) return empty.status();
    if (*empty) {
      return absl::UnavailableError("its interpreter is not initialised");
    }
  }
  return state;
}

}  // namespace pycheck

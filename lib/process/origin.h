#ifndef PYCHECK_LIB_PROCESS_ORIGIN_H_
#define PYCHECK_LIB_PROCESS_ORIGIN_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "lib/base/memory.h"
#include "lib/cpython/binary.h"
#include "lib/process/environment.h"
#include "lib/process/tracer.h"
#include "lib/procfs/maps.h"
#include "lib/procfs/procfs.h"

namespace pycheck {

// What a process says of itself, and where it runs: what its tags are made of.
// Found out at its first readings and then kept, but for a tracer, which may
// come later. Not thread-safe.
class Origin {
 public:
  // To be called at each reading of the process; costs nothing at most of them.
  // `size_pages` is the size of its address space; `memory` is null where that
  // is not open, and `images` is empty where they have not been looked at.
  // `silent_tracer`: as for TracerSearch::Update.
  void Update(const Procfs& procfs, pid_t pid, uint64_t size_pages,
              const Memory* memory, absl::Span<const MappedImage> images,
              Binaries& binaries, bool silent_tracer);

  // Whether all readings that look for more than a tracer have been made.
  bool is_settled() const { return readings_ == kReadings; }

  // Whether it could be looked into: where not, it seems to have neither
  // variables nor a tracer.
  bool is_open() const { return is_open_ && search_.has_looked(); }

  // Grows with every change.
  int version() const { return version_; }

  // The variables of kVariables that it has, as far as it may be looked into:
  // as of its first two readings, for a program that sets some itself as it
  // begins.
  const Variables& environment() const { return environment_; }

  const std::optional<Tracer>& tracer() const { return search_.tracer(); }

  // As FindContainerId gives it, of the same readings; empty outside of a
  // container.
  const std::string& container_id() const { return container_id_; }

 private:
  static constexpr int kReadings = 2;

  absl::StatusOr<Variables> ReadVariables(const Procfs& procfs, pid_t pid,
                                          const Memory* memory,
                                          absl::Span<const MappedImage> images,
                                          Binaries& binaries);

  bool is_open_ = false;
  int version_ = 0;
  int readings_ = 0;
  std::optional<uint64_t> environ_;  // where it is in the memory
  Variables environment_;
  std::string container_id_;
  TracerSearch search_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCESS_ORIGIN_H_

#ifndef PYCHECK_LIB_PROCESS_TRACER_H_
#define PYCHECK_LIB_PROCESS_TRACER_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/process/environment.h"
#include "lib/procfs/procfs.h"

namespace pycheck {

// Datadog's tracer for Python (ddtrace) in a process.
struct Tracer {
  // What it says of itself; empty where it says nothing. A tracer before 3.5
  // says nothing at all.
  std::string version;
  std::string service;  // these three as it has resolved them
  std::string env;
  std::string service_version;

  // Whether it sends runtime metrics itself, as far as can be told.
  bool sends_runtime_metrics = false;

  bool operator==(const Tracer&) const = default;
};

// What the text says that a tracer leaves for service discovery, in a sealed
// file in memory: MessagePack. Nothing where it is not such a text, or another
// language's tracer has left it.
std::optional<Tracer> ParseTracerMetadata(std::string_view text);

// Looks for the tracer in one process, and again as it may be loaded late. Not
// thread-safe.
class TracerSearch {
 public:
  // `size_pages` is the size of the address space: while that stays the same,
  // nothing is loaded, seldom is a thread started, and this costs nothing.
  // Gives whether tracer() has changed.
  //
  // That it sends runtime metrics is told by its thread for that, which newer
  // tracers (4.4, say) name, or by the process's environment.
  //
  // One that says nothing of itself is looked for by its libraries, where the
  // environment has it send runtime metrics or `silent` is true.
  bool Update(const Procfs& procfs, pid_t pid, uint64_t size_pages,
              const Variables& environment, bool silent);

  // Nothing while none is known.
  const std::optional<Tracer>& tracer() const { return tracer_; }

  // Whether the process could be looked at, so that none is known to be none.
  bool has_looked() const { return has_looked_; }

 private:
  bool IsDue(uint64_t size_pages);

  std::optional<Tracer> tracer_;
  bool has_looked_ = false;
  int looks_ = 0;
  int readings_since_look_ = 0;
  uint64_t looked_size_pages_ = 0;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_PROCESS_TRACER_H_

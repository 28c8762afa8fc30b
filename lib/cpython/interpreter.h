#ifndef PYCHECK_LIB_CPYTHON_INTERPRETER_H_
#define PYCHECK_LIB_CPYTHON_INTERPRETER_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "lib/base/memory.h"
#include "lib/cpython/generations.h"
#include "lib/cpython/layout.h"
#include "lib/procfs/maps.h"

namespace pycheck {

// The collector state of the CPython in another process. What Find proved once
// is kept for the life of that process's address space.
class Interpreter {
 public:
  // Finds CPython among the process's images, by the symbol of its runtime and
  // not by anybody's name, and proves where its collector's state is. Where
  // more than one image holds CPython, takes the one that is initialised.
  // Needs a few small reads for each image that has to be looked into, and
  // gives up after a bounded number of them.
  //   kFailedPrecondition  no image holds a Python
  //   kUnimplemented       a Python whose layout is not known: the message
  //                        says which; or a process made to be looked into for
  //                        ever
  //   kUnavailable         CPython, but its state could not be proven now: not
  //                        initialised yet, or ending, or in a long collection
  //   kNotFound            the address space has gone
  static absl::StatusOr<Interpreter> Find(const Memory& memory,
                                          absl::Span<const MappedImage> images);

  // What gc.get_count() in the process would return now, in two reads.
  //   kUnavailable  the state is no longer where it was: the interpreter was
  //                 finalised
  //   kNotFound     the address space has gone
  absl::StatusOr<GcCounts> ReadCounts(const Memory& memory) const;

  const Layout& layout() const { return *generations_.layout; }

  // Where they are.
  struct Generations {
    const Layout* layout;
    uint64_t main_interpreter;  // address of the pointer to its state
    uint64_t state;             // what that pointed to
    uint64_t address;           // of generations[3]
  };

 private:
  explicit Interpreter(const Generations& generations)
      : generations_(generations) {}

  Generations generations_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_CPYTHON_INTERPRETER_H_

#ifndef PYCHECK_LIB_CPYTHON_INTERPRETER_H_
#define PYCHECK_LIB_CPYTHON_INTERPRETER_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "lib/base/memory.h"
#include "lib/cpython/binary.h"
#include "lib/cpython/generations.h"
#include "lib/cpython/location.h"
#include "lib/procfs/maps.h"

namespace pycheck {

// The Python in another process. What Find proved once is kept for the life of
// that process's address space.
class Interpreter {
 public:
  // Finds Python among the process's images, by what they define and not by
  // anybody's name, and proves where its collector's state is: by the
  // interpreter's own debug offsets, else by the layout of its version, else by
  // its structure. Where more than one image holds CPython, takes the one that
  // is initialised. Opens no file. What is learned of an image is kept in
  // `binaries` and serves the next process that runs it: then one read is
  // needed for each image until Python's, and about ten more.
  //
  // With `search_programs`, programs that export no Python are searched for one
  // by structure, at a cost of some milliseconds each.
  //
  // Needs `memory` only during the call, and gives up after a bounded number of
  // reads and bytes.
  //   kFailedPrecondition  no image holds a Python
  //   kUnavailable         CPython, but its state could not be proven now: not
  //                        initialised yet, or ending, or in a long collection
  //   kNotFound            the address space has gone
  static absl::StatusOr<Interpreter> Find(const Memory& memory,
                                          absl::Span<const MappedImage> images,
                                          Binaries& binaries,
                                          bool search_programs = true);

  // As platform.python_implementation() gives it: "CPython" or "PyPy".
  std::string_view implementation() const;

  // As platform.python_version() gives it; empty where it is not known, and for
  // a PyPy.
  const std::string& version() const { return version_; }

  // Whether such an interpreter keeps counts at all; PyPy does not.
  bool has_counts() const {
    return implementation_ == Implementation::kCPython;
  }

  // How its collector was found; nothing where that is not known.
  std::optional<Discovery> discovery() const { return discovery_; }

  // What gc.get_count() in the process would return now, for the main
  // interpreter; of a free-threaded build, see ReadFreeThreadedCounts. In three
  // reads, five before 3.7; in a free-threaded build four, and two for each
  // thread.
  //   kUnimplemented  a free-threaded CPython of an unknown version
  //   kUnavailable    the state is no longer where it was: the interpreter was
  //                   finalised
  //   kAborted        the counts never stood still
  //   kNotFound       the address space has gone
  absl::StatusOr<GcCounts> ReadCounts(const Memory& memory) const;

 private:
  Interpreter(Implementation implementation, std::string version);

  Implementation implementation_;
  std::string version_;
  std::optional<Discovery> discovery_;
  absl::StatusOr<CollectorState> state_;

  friend class InterpreterSearch;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_CPYTHON_INTERPRETER_H_

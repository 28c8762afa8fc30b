#ifndef PYCHECK_LIB_ELF_IMAGE_H_
#define PYCHECK_LIB_ELF_IMAGE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/memory.h"

namespace pycheck {

// A writable segment of an image, in the process: first what the file gives,
// then zeros (.bss).
struct DataSegment {
  uint64_t begin;
  uint64_t zeros;  // where they begin
  uint64_t end;
};

// An ELF image (executable or shared library) in the memory of a process, as
// its headers describe it (gabi, "Program Header"). They are mapped with it,
// and no file is opened. Every value in them is hostile: each address is
// checked against the image's own segments.
class Image {
 public:
  // Reads the image whose ELF header is at `base`, in one read. Needs `memory`
  // only during the call.
  //   kInvalidArgument  what is there is not a 64-bit little-endian ELF image,
  //                     or its headers contradict themselves
  //   kNotFound         the address space has gone
  static absl::StatusOr<Image> Read(const Memory& memory, uint64_t base);

  uint64_t base() const { return base_; }

  // What is added to an address in the image for the one in the process. May
  // wrap.
  uint64_t load_bias() const { return load_bias_; }

  // Whether all of these bytes lie in the image, zero-filled data included.
  bool Contains(uint64_t address, uint64_t size) const;

  const std::vector<DataSegment>& data() const { return data_; }

  // The dynamic section, in the process; of size 0 where there is none, as in
  // a static executable.
  uint64_t dynamic() const { return dynamic_; }
  uint64_t dynamic_size() const { return dynamic_size_; }

  // Whether it can be executed, and not only loaded: a program, or glibc.
  bool is_program() const { return is_program_; }

  // A number out of its first page, which has its headers and mostly its build
  // id: the same for every process that runs the same file.
  uint64_t fingerprint() const { return fingerprint_; }

 private:
  Image() = default;

  uint64_t base_ = 0;
  uint64_t end_ = 0;  // past the segments, zero-filled data included
  uint64_t load_bias_ = 0;
  std::vector<DataSegment> data_;
  uint64_t dynamic_ = 0;
  uint64_t dynamic_size_ = 0;
  bool is_program_ = false;
  uint64_t fingerprint_ = 0;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_ELF_IMAGE_H_

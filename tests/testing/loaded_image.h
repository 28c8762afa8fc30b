#ifndef PYCHECK_TESTS_TESTING_LOADED_IMAGE_H_
#define PYCHECK_TESTS_TESTING_LOADED_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "lib/elf/image.h"
#include "tests/testing/fake_memory.h"
#include "tests/testing/synthetic_image.h"

namespace pycheck {

// A synthetic image in a memory of its own, for a test to change.
class LoadedImage {
 public:
  explicit LoadedImage(const SyntheticImage& image = {})
      : image_(image), bytes_(image.Bytes()) {
    memory_.Map(image_.base, bytes_);
  }

  const SyntheticImage& image() const { return image_; }
  FakeMemory& memory() { return memory_; }
  const FakeMemory& memory() const { return memory_; }

  // `offset` counts from the image's base.
  template <typename T>
  void Put(uint64_t offset, const T& value) {
    memory_.Put(image_.base + offset, value);
  }
  void Restore(uint64_t offset, size_t size) {
    memory_.Write(image_.base + offset,
                  std::string_view(bytes_).substr(offset, size));
  }

  absl::StatusOr<Image> Read() const {
    return Image::Read(memory_, image_.base);
  }

 private:
  SyntheticImage image_;
  std::string bytes_;
  FakeMemory memory_;
};

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_LOADED_IMAGE_H_

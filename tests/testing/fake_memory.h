#ifndef PYCHECK_TESTS_TESTING_FAKE_MEMORY_H_
#define PYCHECK_TESTS_TESTING_FAKE_MEMORY_H_

#include <cstdint>
#include <cstring>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "lib/base/memory.h"

namespace pycheck {

// An address space that a test makes and changes.
class FakeMemory : public Memory {
 public:
  using Memory::Read;

  // Maps `bytes` at `address`, where nothing is mapped yet.
  void Map(uint64_t address, std::string bytes) {
    regions_[address] = std::move(bytes);
  }

  // Changes mapped bytes.
  void Write(uint64_t address, std::string_view bytes) {
    const auto region = std::prev(regions_.upper_bound(address));
    std::memcpy(region->second.data() + (address - region->first), bytes.data(),
                bytes.size());
  }
  template <typename T>
  void Put(uint64_t address, const T& value) {
    Write(address, {reinterpret_cast<const char*>(&value), sizeof(T)});
  }

  // What is mapped there; not counted as a read.
  template <typename T>
  T Get(uint64_t address) const {
    const auto region = std::prev(regions_.upper_bound(address));
    T value;
    std::memcpy(&value, region->second.data() + (address - region->first),
                sizeof(T));
    return value;
  }

  // From now on every read gives kNotFound.
  void Vanish() { gone_ = true; }

  // `hook` is called before each read, with the number of reads before it.
  void BeforeRead(std::function<void(int)> hook) { hook_ = std::move(hook); }

  int reads() const { return reads_; }
  void ForgetReads() { reads_ = 0; }

  absl::Status Read(uint64_t address, absl::Span<char> out) const override {
    if (hook_) hook_(reads_);
    ++reads_;
    if (gone_) return absl::NotFoundError("gone");
    auto region = regions_.upper_bound(address);
    if (region == regions_.begin()) return absl::OutOfRangeError("unmapped");
    --region;
    const uint64_t offset = address - region->first;
    if (offset > region->second.size() ||
        out.size() > region->second.size() - offset) {
      return absl::OutOfRangeError("unmapped");
    }
    if (!out.empty()) {
      std::memcpy(out.data(), region->second.data() + offset, out.size());
    }
    return absl::OkStatus();
  }

 private:
  std::map<uint64_t, std::string> regions_;
  std::function<void(int)> hook_;
  bool gone_ = false;
  mutable int reads_ = 0;
};

}  // namespace pycheck

#endif  // PYCHECK_TESTS_TESTING_FAKE_MEMORY_H_

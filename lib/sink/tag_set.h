#ifndef PYCHECK_LIB_SINK_TAG_SET_H_
#define PYCHECK_LIB_SINK_TAG_SET_H_

#include <string>
#include <utility>
#include <vector>

namespace pycheck {

// The tags of one series, each "key:value" or a lone value, in a fixed order.
// Built once and then only read, by any thread. Not copyable, so that the
// pointers it hands out hold as long as it is not moved from.
class TagSet {
 public:
  TagSet() : TagSet(std::vector<std::string>{}) {}
  explicit TagSet(std::vector<std::string> tags) : tags_(std::move(tags)) {
    pointers_.reserve(tags_.size() + 1);
    for (std::string& tag : tags_) pointers_.push_back(tag.data());
    pointers_.push_back(nullptr);
  }
  TagSet(TagSet&&) = default;
  TagSet& operator=(TagSet&&) = default;
  TagSet(const TagSet&) = delete;
  TagSet& operator=(const TagSet&) = delete;
  ~TagSet() = default;

  const std::vector<std::string>& tags() const { return tags_; }

  // The tags as C strings behind one another, with a null pointer at the end.
  // The type is that of the native loader's interface, which only reads them.
  char** c_strings() const { return const_cast<char**>(pointers_.data()); }

 private:
  std::vector<std::string> tags_;
  std::vector<char*> pointers_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_SINK_TAG_SET_H_

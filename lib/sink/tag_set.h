#ifndef PYCHECK_LIB_SINK_TAG_SET_H_
#define PYCHECK_LIB_SINK_TAG_SET_H_

#include <string>
#include <string_view>
#include <vector>

namespace pycheck {

// A tag as Datadog stores it, whoever sent it, and as the Agent normalises the
// tags of traces: in lower case; from the first letter or colon on; of letters,
// digits and ".", "/", "-", ":", with an underscore between them in place of
// anything else; the first 200 characters. Empty where nothing is left.
std::string NormalizeTag(std::string_view tag);

// What stands before the colon of a tag; a lone value is its own key.
std::string_view TagKey(std::string_view tag);

// The tags of one series, each "key:value" or a lone value: normalised, each
// once, in alphabetical order. Built once and then only read, by any thread.
// Not copyable, so that the pointers it hands out hold as long as it is not
// moved from.
class TagSet {
 public:
  TagSet() : TagSet(std::vector<std::string>{}) {}
  explicit TagSet(const std::vector<std::string>& tags);
  TagSet(TagSet&&) = default;
  TagSet& operator=(TagSet&&) = default;
  TagSet(const TagSet&) = delete;
  TagSet& operator=(const TagSet&) = delete;
  ~TagSet() = default;

  // Views that hold as long as the pointers do.
  std::vector<std::string_view> tags() const {
    return {pointers_.begin(), pointers_.end() - 1};
  }

  // In the order of their tags.
  friend bool operator<(const TagSet& a, const TagSet& b) {
    return a.text() < b.text();
  }

  // The tags as C strings behind one another, with a null pointer at the end.
  // The type is that of the native loader's interface, which only reads them.
  char** c_strings() const { return const_cast<char**>(pointers_.data()); }

 private:
  std::string_view text() const { return {text_.data(), text_.size()}; }

  // A NUL behind each tag. (No string: where that is short, it moves.)
  std::vector<char> text_;
  std::vector<char*> pointers_;
};

}  // namespace pycheck

#endif  // PYCHECK_LIB_SINK_TAG_SET_H_

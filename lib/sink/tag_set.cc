#include "lib/sink/tag_set.h"

#include <array>
#include <cstddef>
#include <optional>
#include <set>

#include "lib/base/utf8.h"
#include "utf8proc.h"

namespace pycheck {
namespace {

constexpr size_t kMostCharacters = 200;
constexpr size_t kMostBytes = 400;  // of what is looked at

size_t Utf8Length(utf8proc_int32_t character) {
  std::array<utf8proc_uint8_t, 4> bytes;
  return static_cast<size_t>(utf8proc_encode_char(character, bytes.data()));
}

// The Agent leaves a capital as it is whose small letter takes another number
// of bytes.
utf8proc_int32_t ToLower(utf8proc_int32_t character) {
  if (utf8proc_category(character) != UTF8PROC_CATEGORY_LU) return character;
  const utf8proc_int32_t lower = utf8proc_tolower(character);
  return Utf8Length(lower) == Utf8Length(character) ? lower : character;
}

bool IsLetter(utf8proc_int32_t character) {
  switch (utf8proc_category(character)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return true;
    default:
      return false;
  }
}

bool IsAllowedInside(utf8proc_int32_t character) {
  return character == '.' || character == '/' || character == '-' ||
         utf8proc_category(character) == UTF8PROC_CATEGORY_ND;
}

void Append(utf8proc_int32_t character, std::string& text) {
  std::array<utf8proc_uint8_t, 4> bytes;
  const utf8proc_ssize_t length = utf8proc_encode_char(character, bytes.data());
  text.append(reinterpret_cast<const char*>(bytes.data()),
              static_cast<size_t>(length));
}

}  // namespace

std::string NormalizeTag(std::string_view tag) {
  std::string normal;
  size_t characters = 0;
  bool gap = false;  // something was left out since the last character
  for (std::string_view rest = tag; !rest.empty() &&
                                    characters < kMostCharacters &&
                                    tag.size() - rest.size() < kMostBytes;) {
    const auto character =
        ToLower(static_cast<utf8proc_int32_t>(TakeCharacter(rest).value_or(0)));
    const bool begins = character == ':' || IsLetter(character);
    if (characters == 0 && !begins) continue;
    ++characters;
    if (begins || IsAllowedInside(character)) {
      if (gap) normal.push_back('_');
      gap = false;
      Append(character, normal);
    } else {
      gap = true;
    }
  }
  return normal;
}

std::string_view TagKey(std::string_view tag) {
  return tag.substr(0, tag.find(':'));
}

TagSet::TagSet(const std::vector<std::string>& tags) {
  std::set<std::string> normal;
  for (const std::string& tag : tags) normal.insert(NormalizeTag(tag));
  normal.erase("");
  size_t size = 0;
  for (const std::string& tag : normal) size += tag.size() + 1;
  text_.reserve(size);
  pointers_.reserve(normal.size() + 1);
  for (const std::string& tag : normal) {
    pointers_.push_back(text_.data() + text_.size());
    text_.insert(text_.end(), tag.c_str(), tag.c_str() + tag.size() + 1);
  }
  pointers_.push_back(nullptr);
}

}  // namespace pycheck

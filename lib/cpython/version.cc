#include "lib/cpython/version.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/cpython/structure.h"

namespace pycheck {
namespace {

constexpr uint64_t kMaxZeros = uint64_t{4} << 20;

// "3.11.2 (main, Mar 13 2023, 12:18:29) [GCC 12.2.0]"; before 3.10 the compiler
// is on a line of its own.
constexpr size_t kMaxVersionText = 300;

// Takes digits off the front; whether there were any.
bool TakeDigits(std::string_view& text) {
  const size_t digits =
      std::min(text.find_first_not_of("0123456789"), text.size());
  text.remove_prefix(digits);
  return digits > 0 && digits < 4;
}

bool TakeDot(std::string_view& text) {
  if (!absl::StartsWith(text, ".")) return false;
  text.remove_prefix(1);
  return true;
}

bool IsVersion(std::string_view word) {
  return TakeDigits(word) && TakeDot(word) && TakeDigits(word) &&
         TakeDot(word) && TakeDigits(word) && word.size() <= 8 &&
         std::all_of(word.begin(), word.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  c == '+' || c == '.';
         });
}

std::string_view FindIn(std::string_view bytes) {
  for (size_t at = 0; (at = bytes.find(") ", at)) != std::string_view::npos;
       at += 2) {
    const std::string_view compiler = bytes.substr(at + 2, 2);
    if (!absl::StartsWith(compiler, "[") && compiler != "\n[") continue;
    const size_t farthest = at > kMaxVersionText ? at - kMaxVersionText : 0;
    std::string_view text = bytes.substr(farthest, at - farthest);
    text.remove_prefix(text.rfind('\0') + 1);
    const std::string_view word = text.substr(0, text.find(' '));
    if (IsVersion(word)) return word;
  }
  return "";
}

}  // namespace

std::string VersionFromHex(uint32_t version_hex) {
  std::string version =
      absl::StrCat(MajorOf(version_hex), ".", MinorOf(version_hex), ".",
                   (version_hex >> 8) & 0xff);
  const char* level = "";
  switch ((version_hex >> 4) & 0xf) {
    case 0xa:
      level = "a";
      break;
    case 0xb:
      level = "b";
      break;
    case 0xc:
      level = "rc";
      break;
    default:
      return version;
  }
  absl::StrAppend(&version, level, version_hex & 0xf);
  return version;
}

absl::StatusOr<std::string> FindVersion(const Memory& memory,
                                        const Image& image) {
  for (const DataSegment& segment : image.data()) {
    const uint64_t size = std::min(segment.end - segment.zeros, kMaxZeros);
    const absl::StatusOr<Snapshot> zeros =
        TakeSnapshot(memory, segment.zeros, segment.zeros + size);
    if (!zeros.ok()) return zeros.status();
    const std::string_view version =
        FindIn({reinterpret_cast<const char*>(zeros->words.data()),
                zeros->words.size() * sizeof(uint64_t)});
    if (!version.empty()) return std::string(version);
  }
  return "";
}

}  // namespace pycheck

#include "lib/config/nearest.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace pycheck {
namespace {

size_t LevenshteinDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j] + 1, diagonal + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::optional<std::string_view> NearestWord(
    std::string_view word, absl::Span<const std::string_view> known) {
  constexpr size_t kLongestWord = 64;
  if (word.size() > kLongestWord) return std::nullopt;
  std::optional<std::string_view> nearest;
  size_t smallest = 0;
  for (const std::string_view candidate : known) {
    const size_t distance = LevenshteinDistance(word, candidate);
    if (distance <= (candidate.size() + 2) / 3 &&
        (!nearest || distance < smallest)) {
      nearest = candidate;
      smallest = distance;
    }
  }
  return nearest;
}

}  // namespace pycheck

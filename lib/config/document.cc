#include "lib/config/document.h"

#include <yaml.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <new>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace pycheck {
namespace {

absl::Status Invalid(std::string_view what, const yaml_mark_t& mark) {
  return absl::InvalidArgumentError(absl::StrCat("not valid YAML: line ",
                                                 mark.line + 1, ", column ",
                                                 mark.column + 1, ": ", what));
}

absl::Status TooLarge() {
  return absl::InvalidArgumentError(absl::StrCat(
      "the configuration is too large: at most ", kMaxDocumentBytes, " bytes, ",
      kMaxDocumentDepth, " levels and ", kMaxDocumentNodes,
      " values (aliases counted where they are used)"));
}

template <size_t kSize>
bool IsOneOf(std::string_view text, const std::string_view (&words)[kSize]) {
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

// YAML knows these words in lower case, upper case and capitalised only.
bool HasYamlCase(std::string_view text) {
  const std::string lower = absl::AsciiStrToLower(text);
  std::string capitalised = lower;
  if (!capitalised.empty()) {
    capitalised[0] =
        absl::ascii_toupper(static_cast<unsigned char>(capitalised[0]));
  }
  return text == lower || text == capitalised ||
         text == absl::AsciiStrToUpper(text);
}

bool IsDecimal(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    text.remove_prefix(1);
  }
  return text.size() == 1
             ? absl::ascii_isdigit(static_cast<unsigned char>(text[0]))
             : !text.empty() && text[0] != '0' &&
                   std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

bool LooksLikeFloat(std::string_view text) {
  return text.find_first_of("0123456789") != std::string_view::npos &&
         text.find('.') != std::string_view::npos &&
         text.find_first_not_of("+-0123456789.eE") == std::string_view::npos;
}

Document ResolvePlainScalar(std::string_view text) {
  constexpr std::string_view kNull[] = {"", "~", "null"};
  constexpr std::string_view kTrue[] = {"true", "yes", "on"};
  constexpr std::string_view kFalse[] = {"false", "no", "off"};
  if (HasYamlCase(text)) {
    const std::string word = absl::AsciiStrToLower(text);
    if (IsOneOf(word, kNull)) return nullptr;
    if (IsOneOf(word, kTrue)) return true;
    if (IsOneOf(word, kFalse)) return false;
  }
  if (int64_t number; IsDecimal(text) && absl::SimpleAtoi(text, &number)) {
    return number;
  }
  if (double number; LooksLikeFloat(text) && absl::SimpleAtod(text, &number)) {
    return number;
  }
  return std::string(text);
}

// Owns libyaml's parser and the document that it loaded.
class YamlDocument {
 public:
  explicit YamlDocument(std::string_view text) : text_(text) {
    if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
    // libyaml asserts that there is a text, be it empty.
    const char* const data = text.data() == nullptr ? "" : text.data();
    yaml_parser_set_input_string(
        &parser_, reinterpret_cast<const unsigned char*>(data), text.size());
  }
  YamlDocument(const YamlDocument&) = delete;
  YamlDocument& operator=(const YamlDocument&) = delete;
  ~YamlDocument() {
    Unload();
    yaml_parser_delete(&parser_);
  }

  // Loads the next document of the text; its root is null after the last.
  absl::StatusOr<yaml_node_t*> Load() {
    Unload();
    loaded_ = yaml_parser_load(&parser_, &document_) != 0;
    if (!loaded_) return Problem();
    return yaml_document_get_root_node(&document_);
  }

  yaml_node_t* Node(int id) { return yaml_document_get_node(&document_, id); }

 private:
  // What the parser stumbled over. Of bytes that are not text it knows the
  // offset only.
  absl::Status Problem() const {
    yaml_mark_t mark = parser_.problem_mark;
    if (parser_.error == YAML_READER_ERROR) {
      const std::string_view before = text_.substr(0, parser_.problem_offset);
      mark.line =
          static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
      mark.column = before.size() - (before.rfind('\n') + 1);
    }
    return Invalid(parser_.problem != nullptr ? parser_.problem : "no memory",
                   mark);
  }

  void Unload() {
    if (loaded_) yaml_document_delete(&document_);
    loaded_ = false;
  }

  std::string_view text_;
  yaml_parser_t parser_;
  yaml_document_t document_;
  bool loaded_ = false;
};

// Copies a loaded document into a tree, and stops where that grows too large:
// each use of an alias is a copy.
class TreeBuilder {
 public:
  explicit TreeBuilder(YamlDocument& yaml) : yaml_(yaml) {}

  absl::StatusOr<Document> Build(const yaml_node_t& node, int depth = 0) {
    if (depth > kMaxDocumentDepth || ++nodes_ > kMaxDocumentNodes) {
      return TooLarge();
    }
    switch (node.type) {
      case YAML_SCALAR_NODE:
        return BuildScalar(node);
      case YAML_SEQUENCE_NODE:
        return BuildList(node, depth);
      case YAML_MAPPING_NODE:
        return BuildMap(node, depth);
      default:
        return nullptr;
    }
  }

 private:
  static Document BuildScalar(const yaml_node_t& node) {
    const std::string_view text(
        reinterpret_cast<const char*>(node.data.scalar.value),
        node.data.scalar.length);
    if (node.data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
      return ResolvePlainScalar(text);
    }
    return std::string(text);
  }

  absl::StatusOr<Document> BuildList(const yaml_node_t& node, int depth) {
    Document list = Document::array();
    for (const int* item = node.data.sequence.items.start;
         item < node.data.sequence.items.top; ++item) {
      absl::StatusOr<Document> value = Build(*yaml_.Node(*item), depth + 1);
      if (!value.ok()) return value.status();
      list.push_back(*std::move(value));
    }
    return list;
  }

  absl::StatusOr<Document> BuildMap(const yaml_node_t& node, int depth) {
    Document map = Document::object();
    for (const yaml_node_pair_t* pair = node.data.mapping.pairs.start;
         pair < node.data.mapping.pairs.top; ++pair) {
      const yaml_node_t& key = *yaml_.Node(pair->key);
      if (key.type != YAML_SCALAR_NODE) {
        return Invalid("a key that is not a word", key.start_mark);
      }
      std::string name(reinterpret_cast<const char*>(key.data.scalar.value),
                       key.data.scalar.length);
      if (map.contains(name)) {
        return Invalid(absl::StrCat("the key \"", name, "\" stands twice"),
                       key.start_mark);
      }
      absl::StatusOr<Document> value =
          Build(*yaml_.Node(pair->value), depth + 1);
      if (!value.ok()) return value.status();
      map[std::move(name)] = *std::move(value);
    }
    return map;
  }

  YamlDocument& yaml_;
  int nodes_ = 0;
};

}  // namespace

absl::StatusOr<Document> ParseYaml(std::string_view text) {
  if (text.size() > kMaxDocumentBytes) return TooLarge();
  YamlDocument yaml(text);
  const absl::StatusOr<yaml_node_t*> root = yaml.Load();
  if (!root.ok()) return root.status();
  if (*root == nullptr) return nullptr;
  absl::StatusOr<Document> document = TreeBuilder(yaml).Build(**root);
  if (!document.ok()) return document.status();
  const absl::StatusOr<yaml_node_t*> next = yaml.Load();
  if (!next.ok()) return next.status();
  if (*next != nullptr) {
    return Invalid("a second document begins", (*next)->start_mark);
  }
  return document;
}

absl::StatusOr<Document> ParseJson(std::string_view text) {
  if (text.size() > kMaxDocumentBytes) return TooLarge();
  int values = 0;
  bool too_large = false;
  const auto within_bounds = [&](int depth, Document::parse_event_t event,
                                 Document& /*value*/) {
    if (event == Document::parse_event_t::value ||
        event == Document::parse_event_t::object_start ||
        event == Document::parse_event_t::array_start) {
      ++values;
    }
    too_large =
        too_large || depth > kMaxDocumentDepth || values > kMaxDocumentNodes;
    return !too_large;
  };
  Document document = Document::parse(text, within_bounds, false);
  if (too_large) return TooLarge();
  if (document.is_discarded()) {
    return absl::InvalidArgumentError("not valid JSON");
  }
  return document;
}

}  // namespace pycheck

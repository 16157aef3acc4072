#include "quintet/io/tokenizers/bpe_tables.h"

#include <algorithm>
#include <optional>
#include <span>

namespace quintet::io {
namespace {

template <typename T>
constexpr DType dtype_of() {
  return sizeof(T) == 1 ? DType::kU8 : DType::kI32;
}

// The first thing that is wrong with an array, if anything is.
class Checks {
 public:
  void that(bool right, const char* array, const char* what) {
    if (!right && !error_) {
      error_ =
          Error(Code::kCorrupt, "tensor " + std::string(kTokenizerTensors) + array + " " + what);
    }
  }

  // Whether `values` rise from 0 or more to `limit` at most, one more of them than `count`.
  void offsets(std::span<const int32_t> values, size_t count, size_t limit, const char* array) {
    const bool right = values.size() == count + 1 && values.front() >= 0 &&
                       std::ranges::is_sorted(values) &&
                       static_cast<size_t>(values.back()) <= limit;
    that(right, array, "does not divide what it is about");
  }

  void ids(std::span<const int32_t> values, int32_t least, size_t ids, const char* array) {
    const bool right = std::ranges::all_of(
        values, [&](int32_t id) { return id >= least && id < static_cast<int32_t>(ids); });
    that(right, array, "holds an id that no token has");
  }

  void length(size_t length, size_t expected, const char* array) {
    that(length == expected, array, "is too short or too long");
  }

  const std::optional<Error>& error() const { return error_; }

 private:
  std::optional<Error> error_;
};

struct TreeNames {
  const char* first_child;
  const char* byte;
  const char* token;
  const char* flags;
};

void check_tree(const AddedTokenTree<ArrayView>& tree, size_t ids, const TreeNames& names,
                Checks& checks) {
  const size_t nodes = tree.byte.size();
  checks.that(nodes > 0, names.byte, "has no root");
  checks.offsets(tree.first_child, nodes, nodes, names.first_child);
  checks.length(tree.token.size(), nodes, names.token);
  checks.ids(tree.token, -1, ids, names.token);
  checks.length(tree.flags.size(), nodes, names.flags);
}

// What the tokenizer relies on. Order (of merges, of bytes) is not checked: without it something is
// not found, and nothing worse.
Result<void> check_arrays(const BpeArrays<ArrayView>& a, const BpeSettings& settings) {
  Checks checks;
  const size_t ids = a.token_flags.size();
  checks.that(ids <= kMaxTokenIds, "token_flags", "has too many tokens");
  checks.offsets(a.token_begin, ids, a.bytes.size(), "token_begin");
  checks.ids(a.by_bytes, 0, ids, "by_bytes");
  checks.length(a.merges.byte_ids.size(), 256, "byte_ids");
  checks.ids(a.merges.byte_ids, -1, ids, "byte_ids");
  checks.offsets(a.merges.merge_begin, ids, a.merges.right.size(), "merge_begin");
  checks.length(a.merges.rank.size(), a.merges.right.size(), "merge_rank");
  checks.length(a.merges.merged.size(), a.merges.right.size(), "merge_result");
  checks.ids(a.merges.merged, 0, ids, "merge_result");
  check_tree(a.given, ids, {"given.first_child", "given.byte", "given.token", "given.flags"},
             checks);
  check_tree(a.normalized, ids,
             {"normalized.first_child", "normalized.byte", "normalized.token", "normalized.flags"},
             checks);
  if (checks.error()) return *checks.error();
  const auto is_no_token = [&](int32_t id) { return id >= static_cast<int32_t>(ids); };
  if (is_no_token(settings.unknown_id) || std::ranges::any_of(settings.before, is_no_token) ||
      std::ranges::any_of(settings.after, is_no_token)) {
    return Error(Code::kCorrupt, "the tokenizer's settings do not fit its tensors");
  }
  return {};
}

template <typename T>
void bind_array(const WeightFile& file, const char* name, std::span<const T>& array,
                Checks& checks) {
  const TensorRef* tensor = file.find(std::string(kTokenizerTensors) + name);
  checks.that(tensor != nullptr, name, "is missing");
  if (tensor == nullptr) return;
  const bool right = tensor->dtype == dtype_of<T>() && tensor->shape.size() == 1 &&
                     reinterpret_cast<uintptr_t>(tensor->bytes.data()) % alignof(T) == 0;
  checks.that(right, name, "is not a list of numbers as it should be");
  if (!right) return;
  array = {reinterpret_cast<const T*>(tensor->bytes.data()), tensor->bytes.size() / sizeof(T)};
}

}  // namespace

std::vector<TensorEntry> tensors_of(const BpeTables& tables) {
  std::vector<TensorEntry> entries;
  for_each_array(
      [&](const char* name, const auto& array) {
        entries.push_back({.name = std::string(kTokenizerTensors) + name,
                           .dtype = dtype_of<std::remove_cvref_t<decltype(array[0])>>(),
                           .shape = {std::ssize(array)},
                           .bytes = std::as_bytes(array)});
      },
      tables.arrays);
  return entries;
}

Result<BpeTables> read_bpe_tables(const WeightFile& file) {
  const auto text = file.metadata.find(kTokenizerMetadata);
  if (text == file.metadata.end()) {
    return Error(Code::kCorrupt, "the file describes no tokenizer");
  }
  BpeTables tables;
  QT_TRY(tables.settings, parse_settings(text->second).with(kTokenizerMetadata));
  Checks checks;
  for_each_array([&](const char* name, auto& array) { bind_array(file, name, array, checks); },
                 tables.arrays);
  if (checks.error()) return *checks.error();
  QT_TRY_VOID(check_arrays(tables.arrays, tables.settings));
  if (!file.files.empty()) tables.memory = file.files.front();
  return tables;
}

}  // namespace quintet::io

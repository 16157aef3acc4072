#include "quintet/io/tokenizers/bpe_tokenizer.h"

#include <algorithm>
#include <utility>

#include "quintet/core/file.h"
#include "quintet/io/tokenizers/tokenizer_json.h"

namespace quintet::io {
namespace {

constexpr size_t kMaxWordBytes = size_t{1} << 20;

}  // namespace

struct BpeTokenizer::Impl {
  BpeTables tables;
  std::vector<SplitPattern> splits;

  const BpeArrays<ArrayView>& arrays() const { return tables.arrays; }
  bool has_flag(int32_t id, TokenFlag flag) const;
  std::string_view bytes_of(int32_t id) const;
  std::optional<int32_t> find(std::string_view bytes) const;

  void encode_normalized(std::string_view text, std::vector<int32_t>& out) const;
  void encode_piece(std::string_view piece, size_t first_split, std::vector<int32_t>& out) const;
  void encode_word(std::string_view word, std::vector<int32_t>& out) const;
};

bool BpeTokenizer::Impl::has_flag(int32_t id, TokenFlag flag) const {
  return id >= 0 && static_cast<size_t>(id) < arrays().token_flags.size() &&
         (arrays().token_flags[static_cast<size_t>(id)] & flag) != 0;
}

std::string_view BpeTokenizer::Impl::bytes_of(int32_t id) const {
  const auto i = static_cast<size_t>(id);
  const auto begin = static_cast<size_t>(arrays().token_begin[i]);
  const auto end = static_cast<size_t>(arrays().token_begin[i + 1]);
  return {reinterpret_cast<const char*>(arrays().bytes.data()) + begin, end - begin};
}

std::optional<int32_t> BpeTokenizer::Impl::find(std::string_view bytes) const {
  const auto found = std::ranges::lower_bound(arrays().by_bytes, bytes, {},
                                              [this](int32_t id) { return bytes_of(id); });
  if (found == arrays().by_bytes.end() || bytes_of(*found) != bytes) return std::nullopt;
  return *found;
}

void BpeTokenizer::Impl::encode_normalized(std::string_view text, std::vector<int32_t>& out) const {
  // Patterns need valid UTF-8; runs of other bytes are words by themselves.
  for (size_t at = 0; at < text.size();) {
    size_t end = at + valid_utf8_bytes(text, at);
    if (end > at) {
      encode_piece(text.substr(at, end - at), 0, out);
    } else {
      while (end < text.size() && code_point_at(text, end).bytes == 0) ++end;
      encode_word(text.substr(at, end - at), out);
    }
    at = end;
  }
}

void BpeTokenizer::Impl::encode_piece(std::string_view piece, size_t first_split,
                                      std::vector<int32_t>& out) const {
  std::string prefixed;
  if (std::cmp_equal(first_split, tables.settings.prefix_space_at) && !piece.starts_with(' '))
    piece = prefixed.append(1, ' ').append(piece);
  if (first_split == splits.size()) return encode_word(piece, out);
  for (const std::string_view part : splits[first_split].split(piece))
    encode_piece(part, first_split + 1, out);
}

void BpeTokenizer::Impl::encode_word(std::string_view word, std::vector<int32_t>& out) const {
  if (tables.settings.ignore_merges)
    if (const auto whole = find(word)) return out.push_back(*whole);
  for (; word.size() > kMaxWordBytes; word.remove_prefix(kMaxWordBytes))
    merge_word(arrays().merges, word.substr(0, kMaxWordBytes), tables.settings.unknown_id, out);
  merge_word(arrays().merges, word, tables.settings.unknown_id, out);
}

BpeTokenizer::BpeTokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Result<BpeTokenizer> BpeTokenizer::open(BpeTables tables) {
  auto impl = std::make_shared<Impl>();
  for (const SplitRule& split : tables.settings.splits) {
    QT_TRY(SplitPattern pattern, SplitPattern::compile(split.pattern, split.options));
    impl->splits.push_back(std::move(pattern));
  }
  impl->tables = std::move(tables);
  return BpeTokenizer(std::move(impl));
}

Result<BpeTokenizer> BpeTokenizer::build(const BpeDefinition& definition, std::string_view name) {
  QT_TRY(BpeTables tables, build_bpe_tables(definition).with(name));
  return open(std::move(tables)).with(name);
}

Result<BpeTokenizer> BpeTokenizer::parse(std::string_view json, std::string_view name) {
  QT_TRY(const BpeDefinition definition, parse_tokenizer_json(json, name));
  return build(definition, name);
}

Result<BpeTokenizer> BpeTokenizer::load(const std::filesystem::path& path) {
  QT_TRY(const std::string json, read_file(path, kMaxTokenizerJsonBytes));
  return parse(json, path.string());
}

std::vector<int32_t> BpeTokenizer::encode(std::string_view text) const {
  std::vector<int32_t> ids;
  const std::vector<NormalForm>& normalizers = impl_->tables.settings.normalizers;
  for (const TextPiece& piece : split_at_added_tokens(impl_->arrays().given, text)) {
    if (piece.token >= 0) {
      ids.push_back(piece.token);
      continue;
    }
    std::string owned;
    std::string_view plain = piece.text;
    if (!normalizers.empty()) plain = owned = normalize_valid_parts(plain, normalizers);
    for (const TextPiece& inner : split_at_added_tokens(impl_->arrays().normalized, plain)) {
      if (inner.token >= 0)
        ids.push_back(inner.token);
      else
        impl_->encode_normalized(inner.text, ids);
    }
  }
  return ids;
}

std::string BpeTokenizer::decode(std::span<const int32_t> ids, SpecialTokens specials) const {
  std::string text;
  for (const int32_t id : ids)
    if (specials == SpecialTokens::kKeep || !is_special(id)) text += token_bytes(id);
  return text;
}

std::string_view BpeTokenizer::token_bytes(int32_t id) const {
  return impl_->has_flag(id, kKnown) ? impl_->bytes_of(id) : std::string_view();
}

std::optional<int32_t> BpeTokenizer::token_id(std::string_view content) const {
  return impl_->find(content);
}

bool BpeTokenizer::is_special(int32_t id) const { return impl_->has_flag(id, kSpecial); }

int64_t BpeTokenizer::size() const {
  return static_cast<int64_t>(impl_->arrays().token_flags.size());
}

const BpeTables& BpeTokenizer::tables() const { return impl_->tables; }

}  // namespace quintet::io

#include "quintet/io/tokenizers/bpe_tokenizer.h"

#include <algorithm>
#include <utility>

#include "quintet/core/file.h"
#include "quintet/io/tokenizers/tokenizer_json.h"

namespace quintet::io {
namespace {

constexpr size_t kMaxWordBytes = size_t{1} << 20;
// Characters whose tokens are found without a search; with them the Basic Multilingual Plane.
constexpr char32_t kCommonCharacters = 0x10000;

// How much of a word merges at once: all, or whole characters if it is too long.
size_t word_bytes(std::string_view word) {
  if (word.size() <= kMaxWordBytes) return word.size();
  for (size_t bytes = kMaxWordBytes; bytes > kMaxWordBytes - 4; --bytes)
    if ((word[bytes] & 0xc0) != 0x80) return bytes;
  return kMaxWordBytes;
}

}  // namespace

struct BpeTokenizer::Impl {
  BpeTables tables;
  TextNormalizer normalizer;
  WordSplitter splitter;
  TokenDecoder decoder;
  std::vector<int32_t> character_ids;  // [kCommonCharacters], where characters merge; -1: none.

  const BpeArrays<ArrayView>& arrays() const { return tables.arrays; }
  bool has_flag(int32_t id, TokenFlag flag) const;
  std::string_view bytes_of(int32_t id) const;
  std::optional<int32_t> find(std::string_view bytes) const;
  void find_characters();
  int32_t id_of_character(std::string_view bytes, CodePoint c) const;

  void encode_section(std::string_view text, bool at_start, std::vector<int32_t>& out) const;
  void encode_word(std::string_view word, std::vector<int32_t>& out) const;
  std::vector<int32_t> parts_of(std::string_view word) const;
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

void BpeTokenizer::Impl::find_characters() {
  character_ids.assign(kCommonCharacters, -1);
  for (const int32_t id : arrays().by_bytes) {
    const std::string_view bytes = bytes_of(id);
    const CodePoint c = code_point_at(bytes, 0);
    if (c.bytes > 0 && c.bytes == bytes.size() && c.value < kCommonCharacters &&
        has_flag(id, kMergeable))
      character_ids[c.value] = id;
  }
}

int32_t BpeTokenizer::Impl::id_of_character(std::string_view bytes, CodePoint c) const {
  if (c.bytes > 0 && c.value < kCommonCharacters) return character_ids[c.value];
  const auto id = find(bytes);
  return id && has_flag(*id, kMergeable) ? *id : -1;
}

void BpeTokenizer::Impl::encode_section(std::string_view text, bool at_start,
                                        std::vector<int32_t>& out) const {
  // Patterns need valid UTF-8; runs of other bytes are words by themselves.
  for (size_t at = 0; at < text.size();) {
    size_t end = at + valid_utf8_bytes(text, at);
    if (end > at) {
      splitter.split({.text = text.substr(at, end - at),
                      .at_start = at_start && at == 0,
                      .may_prefix = at == 0},
                     [&](std::string_view word) { encode_word(word, out); });
    } else {
      while (end < text.size() && code_point_at(text, end).bytes == 0) ++end;
      encode_word(text.substr(at, end - at), out);
    }
    at = end;
  }
}

void BpeTokenizer::Impl::encode_word(std::string_view word, std::vector<int32_t>& out) const {
  if (tables.settings.ignore_merges) {
    const auto whole = find(word);
    if (whole && (tables.settings.byte_level || has_flag(*whole, kMergeable)))
      return out.push_back(*whole);
  }
  while (!word.empty()) {
    const size_t bytes = word_bytes(word);
    merge_parts(arrays().merges, parts_of(word.substr(0, bytes)), out);
    word.remove_prefix(bytes);
  }
}

// The tokens from which merging begins.
std::vector<int32_t> BpeTokenizer::Impl::parts_of(std::string_view word) const {
  const BpeSettings& settings = tables.settings;
  std::vector<int32_t> parts;
  parts.reserve(word.size());
  bool unknown_waits = false;
  const auto settle_unknown = [&] {
    if (std::exchange(unknown_waits, false)) parts.push_back(settings.unknown_id);
  };
  const auto byte_id = [&](char byte) {
    return arrays().merges.byte_ids[static_cast<unsigned char>(byte)];
  };
  for (size_t at = 0, bytes = 1; at < word.size(); at += bytes) {
    const CodePoint c = settings.byte_level ? CodePoint() : code_point_at(word, at);
    bytes = std::max<size_t>(1, c.bytes);
    const std::string_view character = word.substr(at, bytes);
    const int32_t id = settings.byte_level ? byte_id(word[at]) : id_of_character(character, c);
    if (id >= 0) {
      settle_unknown();
      parts.push_back(id);
      continue;
    }
    // What is unknown waits for the next character that is known, over the bytes of others: so
    // does Hugging Face tokenizers.
    if (settings.byte_fallback &&
        std::ranges::all_of(character, [&](char b) { return byte_id(b) >= 0; })) {
      for (const char b : character) parts.push_back(byte_id(b));
      continue;
    }
    if (settings.unknown_id < 0) continue;
    if (!settings.fuse_unknown) settle_unknown();
    unknown_waits = true;
  }
  settle_unknown();
  return parts;
}

BpeTokenizer::BpeTokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Result<BpeTokenizer> BpeTokenizer::open(BpeTables tables) {
  auto impl = std::make_shared<Impl>();
  const BpeSettings& settings = tables.settings;
  QT_TRY(impl->normalizer, TextNormalizer::compile(settings.normalizers));
  QT_TRY(impl->splitter, WordSplitter::compile(settings.pre_tokenizers));
  QT_TRY(impl->decoder, TokenDecoder::compile(settings.decoders));
  impl->tables = std::move(tables);
  if (!impl->tables.settings.byte_level) impl->find_characters();
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

std::vector<int32_t> BpeTokenizer::encode(std::string_view text, AddSpecial add) const {
  const BpeSettings& settings = impl_->tables.settings;
  std::vector<int32_t> ids;
  if (add == AddSpecial::kYes) ids = settings.before;
  for (const TextPiece& piece : split_at_added_tokens(impl_->arrays().given, text)) {
    if (piece.token >= 0) {
      ids.push_back(piece.token);
      continue;
    }
    std::string owned;
    std::string_view plain = piece.text;
    if (!impl_->normalizer.empty()) plain = owned = impl_->normalizer.normalized(plain);
    for (const TextPiece& inner : split_at_added_tokens(impl_->arrays().normalized, plain)) {
      if (inner.token >= 0) {
        ids.push_back(inner.token);
        continue;
      }
      const bool at_start = piece.text.data() == text.data() && inner.text.data() == plain.data();
      impl_->encode_section(inner.text, at_start, ids);
    }
  }
  if (add == AddSpecial::kYes) ids.insert(ids.end(), settings.after.begin(), settings.after.end());
  return ids;
}

std::string BpeTokenizer::decode(std::span<const int32_t> ids, SpecialTokens specials) const {
  std::string text;
  DecodeStream stream(impl_->decoder, InvalidUtf8::kKeep);
  for (const int32_t id : ids) {
    const bool skip = specials == SpecialTokens::kSkip && is_special(id);
    if (!skip && knows(id)) stream.push(token_bytes(id), text);
  }
  stream.finish(text);
  return text;
}

std::string_view BpeTokenizer::token_bytes(int32_t id) const {
  return impl_->has_flag(id, kKnown) ? impl_->bytes_of(id) : std::string_view();
}

std::optional<int32_t> BpeTokenizer::token_id(std::string_view content) const {
  return impl_->find(content);
}

bool BpeTokenizer::knows(int32_t id) const { return impl_->has_flag(id, kKnown); }

bool BpeTokenizer::is_special(int32_t id) const { return impl_->has_flag(id, kSpecial); }

int64_t BpeTokenizer::size() const {
  return static_cast<int64_t>(impl_->arrays().token_flags.size());
}

const TokenDecoder& BpeTokenizer::decoder() const { return impl_->decoder; }

const BpeTables& BpeTokenizer::tables() const { return impl_->tables; }

}  // namespace quintet::io

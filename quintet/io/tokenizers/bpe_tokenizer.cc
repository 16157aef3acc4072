#include "quintet/io/tokenizers/bpe_tokenizer.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "quintet/core/file.h"
#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/tokenizers/bpe_merger.h"
#include "quintet/io/tokenizers/byte_level.h"
#include "quintet/io/tokenizers/tokenizer_json.h"

namespace quintet::io {
namespace {

constexpr int32_t kMaxIds = 1 << 20;
constexpr size_t kMaxWordBytes = size_t{1} << 20;

// Words, numbers and punctuation with the space before them; English contractions apart. White
// space leaves its last character to the word behind it. Source: Radford et al. 2019.
constexpr std::string_view kGpt2Pattern =
    R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace

struct BpeTokenizer::Tables {
  struct Token {
    uint32_t begin = 0;
    uint32_t bytes = 0;
    bool known = false;
    bool special = false;
  };

  std::vector<Token> tokens;  // By id.
  std::vector<char> bytes;    // Of all tokens; ids_by_bytes points into it.
  std::unordered_map<std::string_view, int32_t> ids_by_bytes;
  int32_t unknown_id = -1;
  BpeMerger merger;
  std::vector<SplitPattern> splits;
  size_t prefix_space_at = SIZE_MAX;  // Before this split; SIZE_MAX: nowhere.
  bool ignore_merges = false;
  std::vector<NormalForm> normalizers;
  AddedTokenMatcher given{{}};       // Tokens recognised in the text as given.
  AddedTokenMatcher normalized{{}};  // And in normalised text.

  std::string_view text_of(const Token& token) const {
    return {bytes.data() + token.begin, token.bytes};
  }
  bool knows(int32_t id) const {
    return id >= 0 && static_cast<size_t>(id) < tokens.size() &&
           tokens[static_cast<size_t>(id)].known;
  }

  Result<void> add_tokens(const BpeDefinition& definition);
  Result<void> add_merges(const BpeDefinition& definition);
  Result<void> add_splits(const BpeDefinition& definition);

  std::string normalize(std::string_view text) const;
  void encode_normalized(std::string_view text, std::vector<int32_t>& out) const;
  void encode_piece(std::string_view piece, size_t first_split, std::vector<int32_t>& out) const;
  void encode_word(std::string_view word, std::vector<int32_t>& out) const;
};

Result<void> BpeTokenizer::Tables::add_tokens(const BpeDefinition& definition) {
  std::vector<std::string> content;
  const auto put = [&](std::string_view token, int32_t id, std::string text) -> Result<void> {
    if (id < 0 || id >= kMaxIds)
      return Error(Code::kExhausted, "token " + in_quotes(token) + " has id " + std::to_string(id) +
                                         "; ids from 0 to " + std::to_string(kMaxIds - 1) +
                                         " are read");
    const auto index = static_cast<size_t>(id);
    if (index >= tokens.size()) {
      tokens.resize(index + 1);
      content.resize(index + 1);
    }
    tokens[index].known = true;
    content[index] = std::move(text);
    return {};
  };
  for (const auto& [token, id] : definition.vocabulary) {
    if (knows(id))
      return Error(Code::kCorrupt, "id " + std::to_string(id) + " belongs to two tokens, one is " +
                                       in_quotes(token));
    QT_TRY_VOID(put(token, id, bytes_from_alphabet(token).value_or(token)));
  }
  for (const AddedToken& token : definition.added_tokens) {
    QT_TRY_VOID(put(token.content, token.id, token.content));
    tokens[static_cast<size_t>(token.id)].special |= token.special;
  }

  size_t total = 0;
  for (const std::string& text : content) total += text.size();
  if (total > UINT32_MAX) return Error(Code::kExhausted, "the tokens together exceed 4 GiB");
  bytes.reserve(total);
  for (size_t id = 0; id < tokens.size(); ++id) {
    tokens[id].begin = static_cast<uint32_t>(bytes.size());
    tokens[id].bytes = static_cast<uint32_t>(content[id].size());
    bytes.insert(bytes.end(), content[id].begin(), content[id].end());
  }
  ids_by_bytes.reserve(tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id)
    if (tokens[id].known) ids_by_bytes.try_emplace(text_of(tokens[id]), static_cast<int32_t>(id));
  // Where an added token has the bytes of another, the added one is meant.
  for (const AddedToken& token : definition.added_tokens)
    ids_by_bytes[text_of(tokens[static_cast<size_t>(token.id)])] = token.id;
  return {};
}

Result<void> BpeTokenizer::Tables::add_merges(const BpeDefinition& definition) {
  std::unordered_map<std::string_view, int32_t> ids;
  ids.reserve(definition.vocabulary.size());
  for (const auto& [token, id] : definition.vocabulary)
    if (!ids.try_emplace(token, id).second)
      return Error(Code::kCorrupt, "token " + in_quotes(token) + " stands twice in the vocabulary");
  for (const AddedToken& token : definition.added_tokens)
    if (const auto found = ids.find(token.content); found != ids.end() && found->second != token.id)
      return Error(Code::kCorrupt, "added token " + in_quotes(token.content) + " has id " +
                                       std::to_string(token.id) + " and in the vocabulary id " +
                                       std::to_string(found->second));

  std::array<int32_t, 256> byte_ids{};
  for (size_t byte = 0; byte < byte_ids.size(); ++byte) {
    const auto found = ids.find(bytes_to_alphabet(std::string(1, static_cast<char>(byte))));
    byte_ids[byte] = found == ids.end() ? -1 : found->second;
  }
  if (!definition.unknown_token.empty()) {
    const auto found = ids.find(definition.unknown_token);
    if (found == ids.end())
      return Error(Code::kCorrupt, "unk_token " + in_quotes(definition.unknown_token) +
                                       " is not in the vocabulary");
    unknown_id = found->second;
  }

  std::vector<BpeMerger::Merge> merges;
  merges.reserve(definition.merges.size());
  std::string joined;
  for (const auto& [left, right] : definition.merges) {
    joined.assign(left).append(right);
    const auto a = ids.find(left);
    const auto b = ids.find(right);
    const auto ab = ids.find(joined);
    if (a == ids.end() || b == ids.end() || ab == ids.end())
      return Error(Code::kCorrupt, "merge " + std::to_string(merges.size()) + " (" +
                                       in_quotes(left) + ", " + in_quotes(right) +
                                       ") names or makes a token that is not in the vocabulary");
    merges.push_back({a->second, b->second, ab->second});
  }
  merger = BpeMerger(byte_ids, merges);
  return {};
}

Result<void> BpeTokenizer::Tables::add_splits(const BpeDefinition& definition) {
  for (const BpeDefinition::Split& split : definition.splits) {
    QT_TRY(SplitPattern pattern, SplitPattern::compile(split.pattern, split.options));
    splits.push_back(std::move(pattern));
  }
  if (definition.add_prefix_space) prefix_space_at = splits.size();
  if (definition.gpt2_split) {
    QT_TRY(SplitPattern pattern, SplitPattern::compile(kGpt2Pattern, {}));
    splits.push_back(std::move(pattern));
  }
  return {};
}

std::string BpeTokenizer::Tables::normalize(std::string_view text) const {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t valid = valid_utf8_bytes(text, at);
    std::string run(text.substr(at, valid));
    for (const NormalForm form : normalizers) run = normalize_unicode(run, form);
    out += run;
    at += valid;
    if (at < text.size()) out += text[at++];
  }
  return out;
}

void BpeTokenizer::Tables::encode_normalized(std::string_view text,
                                             std::vector<int32_t>& out) const {
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

void BpeTokenizer::Tables::encode_piece(std::string_view piece, size_t first_split,
                                        std::vector<int32_t>& out) const {
  std::string prefixed;
  if (first_split == prefix_space_at && !piece.starts_with(' '))
    piece = prefixed.append(1, ' ').append(piece);
  if (first_split == splits.size()) return encode_word(piece, out);
  for (const std::string_view part : splits[first_split].split(piece))
    encode_piece(part, first_split + 1, out);
}

void BpeTokenizer::Tables::encode_word(std::string_view word, std::vector<int32_t>& out) const {
  if (ignore_merges)
    if (const auto whole = ids_by_bytes.find(word); whole != ids_by_bytes.end())
      return out.push_back(whole->second);
  for (; word.size() > kMaxWordBytes; word.remove_prefix(kMaxWordBytes))
    merger.merge(word.substr(0, kMaxWordBytes), unknown_id, out);
  merger.merge(word, unknown_id, out);
}

BpeTokenizer::BpeTokenizer(std::shared_ptr<const Tables> tables) : tables_(std::move(tables)) {}

Result<BpeTokenizer> BpeTokenizer::build(const BpeDefinition& definition, std::string_view name) {
  auto tables = std::make_shared<Tables>();
  QT_TRY_VOID(tables->add_tokens(definition).with(name));
  QT_TRY_VOID(tables->add_merges(definition).with(name));
  QT_TRY_VOID(tables->add_splits(definition).with(name));
  tables->ignore_merges = definition.ignore_merges;
  tables->normalizers = definition.normalizers;

  std::vector<AddedToken> given;
  std::vector<AddedToken> normalized;
  for (const AddedToken& token : definition.added_tokens) {
    if (!token.normalized) {
      given.push_back(token);
      continue;
    }
    normalized.push_back(token);
    normalized.back().content = tables->normalize(token.content);
  }
  tables->given = AddedTokenMatcher(std::move(given));
  tables->normalized = AddedTokenMatcher(std::move(normalized));
  return BpeTokenizer(std::move(tables));
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
  for (const AddedTokenMatcher::Piece& piece : tables_->given.split(text)) {
    if (piece.id >= 0) {
      ids.push_back(piece.id);
      continue;
    }
    std::string owned;
    std::string_view plain = piece.text;
    if (!tables_->normalizers.empty()) plain = owned = tables_->normalize(plain);
    for (const AddedTokenMatcher::Piece& inner : tables_->normalized.split(plain)) {
      if (inner.id >= 0)
        ids.push_back(inner.id);
      else
        tables_->encode_normalized(inner.text, ids);
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
  if (!tables_->knows(id)) return {};
  return tables_->text_of(tables_->tokens[static_cast<size_t>(id)]);
}

std::optional<int32_t> BpeTokenizer::token_id(std::string_view content) const {
  const auto found = tables_->ids_by_bytes.find(content);
  if (found == tables_->ids_by_bytes.end()) return std::nullopt;
  return found->second;
}

bool BpeTokenizer::is_special(int32_t id) const {
  return tables_->knows(id) && tables_->tokens[static_cast<size_t>(id)].special;
}

int64_t BpeTokenizer::size() const { return static_cast<int64_t>(tables_->tokens.size()); }

}  // namespace quintet::io

// From the definition of a tokenizer to its tables.
#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/tokenizers/bpe_tables.h"
#include "quintet/io/tokenizers/byte_level.h"

namespace quintet::io {
namespace {

// Words, numbers and punctuation with the space before them; English contractions apart. White
// space leaves its last character to the word behind it. Source: Radford et al. 2019.
constexpr std::string_view kGpt2Pattern =
    R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Added tokens in use are shorter than 100 bytes.
constexpr size_t kMaxNormalizedToken = size_t{64} << 10;
constexpr size_t kMaxNormalizedBytes = size_t{64} << 20;

using OwnedArrays = BpeArrays<OwnedArray>;

struct AddedTokens {
  std::vector<AddedToken> given;
  std::vector<AddedToken> normalized;            // With normalised content.
  std::vector<const AddedToken*> of_normalized;  // And as they are in the definition.
};

Result<AddedTokens> sort_added_tokens(const BpeDefinition& definition) {
  QT_TRY(const TextNormalizer normalizer, TextNormalizer::compile(definition.normalizers));
  AddedTokens out;
  size_t total = 0;
  for (const AddedToken& token : definition.added_tokens) {
    if (!token.normalized) {
      out.given.push_back(token);
      continue;
    }
    if (token.content.size() > kMaxNormalizedToken)
      return Error(Code::kExhausted, "an added token has " + std::to_string(token.content.size()) +
                                         " bytes; at most " + std::to_string(kMaxNormalizedToken) +
                                         " are recognised in normalised text");
    out.of_normalized.push_back(&token);
    out.normalized.push_back(token);
    out.normalized.back().content = normalizer.normalized(token.content);
    total += out.normalized.back().content.size();
    if (total > kMaxNormalizedBytes)
      return Error(Code::kExhausted, "the added tokens together exceed 64 MiB");
  }
  return out;
}

// Every token by its id, as bytes.
class Contents {
 public:
  Result<void> add(std::string_view token, int32_t id, std::string bytes) {
    if (id < 0 || id >= static_cast<int32_t>(kMaxTokenIds))
      return Error(Code::kExhausted, "token " + in_quotes(token) + " has id " + std::to_string(id) +
                                         "; ids from 0 to " + std::to_string(kMaxTokenIds - 1) +
                                         " are read");
    const auto index = static_cast<size_t>(id);
    if (index >= bytes_.size()) {
      bytes_.resize(index + 1);
      flags_.resize(index + 1);
    }
    flags_[index] |= kKnown;
    bytes_[index] = std::move(bytes);
    return {};
  }

  bool knows(int32_t id) const {
    return id >= 0 && static_cast<size_t>(id) < flags_.size() && flags_[static_cast<size_t>(id)];
  }
  bool has(int32_t id, TokenFlag flag) const {
    return knows(id) && (flags_[static_cast<size_t>(id)] & flag) != 0;
  }
  void set(int32_t id, TokenFlag flag) { flags_[static_cast<size_t>(id)] |= flag; }
  int32_t ids() const { return static_cast<int32_t>(bytes_.size()); }

  Result<void> write(std::span<const AddedToken> added, OwnedArrays& out) {
    size_t total = 0;
    for (const std::string& text : bytes_) total += text.size();
    if (total > INT32_MAX) return Error(Code::kExhausted, "the tokens together exceed 2 GiB");
    out.bytes.reserve(total);
    for (const std::string& text : bytes_) {
      out.token_begin.push_back(static_cast<int32_t>(out.bytes.size()));
      out.bytes.insert(out.bytes.end(), text.begin(), text.end());
    }
    out.token_begin.push_back(static_cast<int32_t>(total));

    std::unordered_map<std::string_view, int32_t> by_bytes;
    by_bytes.reserve(bytes_.size());
    for (int32_t id = 0; id < ids(); ++id)
      if (knows(id)) by_bytes.try_emplace(bytes_[static_cast<size_t>(id)], id);
    // Where an added token has the bytes of another, the added one is meant.
    for (const AddedToken& token : added)
      by_bytes[bytes_[static_cast<size_t>(token.id)]] = token.id;
    for (const auto& [bytes, id] : by_bytes) out.by_bytes.push_back(id);
    std::ranges::sort(out.by_bytes, {}, [&](int32_t id) -> std::string_view {
      return bytes_[static_cast<size_t>(id)];
    });
    out.token_flags = std::move(flags_);
    return {};
  }

 private:
  std::vector<std::string> bytes_;
  std::vector<uint8_t> flags_;
};

Result<void> add_tokens(const BpeDefinition& definition, const AddedTokens& added,
                        OwnedArrays& out) {
  Contents contents;
  for (const auto& [token, id] : definition.vocabulary) {
    if (contents.knows(id))
      return Error(Code::kCorrupt, "id " + std::to_string(id) + " belongs to two tokens, one is " +
                                       in_quotes(token));
    std::string bytes = definition.byte_level ? bytes_from_alphabet(token).value_or(token) : token;
    QT_TRY_VOID(contents.add(token, id, std::move(bytes)));
    contents.set(id, kMergeable);
  }
  const auto add = [&](const AddedToken& token, std::string bytes) -> Result<void> {
    QT_TRY_VOID(contents.add(token.content, token.id, std::move(bytes)));
    if (token.special) contents.set(token.id, kSpecial);
    return {};
  };
  for (const AddedToken& token : added.given) QT_TRY_VOID(add(token, token.content));
  for (size_t i = 0; i < added.normalized.size(); ++i) {
    const AddedToken& token = *added.of_normalized[i];
    // As Hugging Face tokenizers shows it; but the merging model must find its own tokens.
    const bool merges = contents.has(token.id, kMergeable);
    QT_TRY_VOID(add(token, merges ? token.content : added.normalized[i].content));
  }
  return contents.write(definition.added_tokens, out);
}

using Ids = std::unordered_map<std::string_view, int32_t>;

// The vocabulary's ids by token, as it is written.
Result<Ids> vocabulary_ids(const BpeDefinition& definition) {
  Ids ids;
  ids.reserve(definition.vocabulary.size());
  for (const auto& [token, id] : definition.vocabulary)
    if (!ids.try_emplace(token, id).second)
      return Error(Code::kCorrupt, "token " + in_quotes(token) + " stands twice in the vocabulary");
  for (const AddedToken& token : definition.added_tokens)
    if (const auto found = ids.find(token.content); found != ids.end() && found->second != token.id)
      return Error(Code::kCorrupt, "added token " + in_quotes(token.content) + " has id " +
                                       std::to_string(token.id) + " and in the vocabulary id " +
                                       std::to_string(found->second));
  return ids;
}

Result<std::vector<Merge>> resolve_merges(const BpeDefinition& definition, const Ids& ids) {
  if (!definition.merge_ranks.empty() && definition.merge_ranks.size() != definition.merges.size())
    return Error(Code::kCorrupt, "the ranks of the merges are not as many as the merges");
  std::vector<Merge> merges;
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
    const auto place = static_cast<int32_t>(merges.size());
    const int32_t rank =
        definition.merge_ranks.empty() ? place : definition.merge_ranks[merges.size()];
    merges.push_back({a->second, b->second, ab->second, rank});
  }
  return merges;
}

// How the vocabulary writes the token of one byte.
std::string byte_token(int byte, bool byte_level) {
  if (byte_level) return bytes_to_alphabet(std::string(1, static_cast<char>(byte)));
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto b = static_cast<size_t>(byte);
  return {'<', '0', 'x', kDigits[b / 16], kDigits[b % 16], '>'};
}

Result<void> add_merges(const BpeDefinition& definition, OwnedArrays& out, BpeSettings& settings) {
  QT_TRY(const Ids ids, vocabulary_ids(definition));
  QT_TRY(const std::vector<Merge> merges, resolve_merges(definition, ids));
  out.merges = build_merge_table(merges, static_cast<int32_t>(out.token_flags.size()));
  for (int byte = 0; byte < 256; ++byte) {
    const auto found = ids.find(byte_token(byte, definition.byte_level));
    const bool used = definition.byte_level || definition.byte_fallback;
    out.merges.byte_ids.push_back(found == ids.end() || !used ? -1 : found->second);
  }
  if (definition.unknown_token.empty()) return {};
  const auto found = ids.find(definition.unknown_token);
  if (found == ids.end())
    return Error(Code::kCorrupt,
                 "unk_token " + in_quotes(definition.unknown_token) + " is not in the vocabulary");
  settings.unknown_id = found->second;
  return {};
}

}  // namespace

Result<BpeTables> build_bpe_tables(const BpeDefinition& definition) {
  const auto owned = std::make_shared<OwnedArrays>();
  BpeTables tables;
  static_cast<BpeRules&>(tables.settings) = definition;
  if (definition.gpt2_split)
    tables.settings.pre_tokenizers.emplace_back(SplitRule{std::string(kGpt2Pattern), {}});
  QT_TRY_VOID(check_settings(tables.settings));
  QT_TRY(const AddedTokens added, sort_added_tokens(definition));
  QT_TRY_VOID(add_tokens(definition, added, *owned));
  QT_TRY_VOID(add_merges(definition, *owned, tables.settings));
  for (const auto* around : {&definition.before, &definition.after}) {
    for (const int32_t id : *around) {
      if (id < 0 || std::cmp_greater_equal(id, owned->token_flags.size()))
        return Error(Code::kCorrupt, "the post-processor puts id " + std::to_string(id) +
                                         " beside a text, which no token has");
    }
  }
  owned->given = build_added_token_tree(added.given);
  owned->normalized = build_added_token_tree(added.normalized);
  for_each_array([](const char*, const auto& from, auto& view) { view = from; }, *owned,
                 tables.arrays);
  tables.memory = owned;
  return tables;
}

}  // namespace quintet::io

#include "quintet/io/tokenizers/gguf_tokenizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/tokenizers/bpe_tables.h"

namespace quintet::io {
namespace {

using Texts = std::vector<std::string_view>;

enum TokenType : int64_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

constexpr std::string_view kMetaspace = "\u2581";

// Steps of looking for the merges that make the tokens; vocabularies in use take some 10 million.
constexpr uint64_t kMaxMergeSteps = uint64_t{1} << 32;

// How the byte-level tokenizers split text into words.
struct Split {
  std::array<std::string_view, 6> names;     // Of "tokenizer.ggml.pre".
  std::array<std::string_view, 4> patterns;  // The matches of each are pieces by themselves.
  bool gpt2_split = false;                   // Then GPT-2's.
  bool compose = false;                      // Before all, NFC.
  bool ignore_merges = false;
  bool add_bos = false;  // Unless the file says otherwise.
};

// Patterns as published with the models: Meta's Llama 3 and Alibaba's Qwen 2. The last row is for
// files from before the key existed.
constexpr std::array<Split, 5> kSplits = {{
    {{"gpt-2", "phi-2", "mpt", "olmo", "jais"}, {}, true},
    {{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone"}, {R"(\p{N})"}, true},
    {{"llama-bpe", "llama3", "llama-v3", "falcon3"},
     {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
     false,
     false,
     true,
     true},
    {{"qwen2", "deepseek-r1-qwen"},
     {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
     false,
     true},
    {{"default"},
     {R"([\p{P}\$\+<=>\^~\|]+)",
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))", R"(\p{N}+)",
      "[0-9][0-9][0-9]"}},
}};

std::string key(std::string_view name) { return "tokenizer.ggml." + std::string(name); }

Error corrupt(std::string_view name, std::string_view what) {
  return {Code::kCorrupt, key(name) + " " + std::string(what)};
}

struct Tokens {
  Texts texts;
  std::vector<int64_t> types;  // [tokens]
};

Result<Tokens> read_tokens(const GgufMetadata& metadata) {
  Tokens tokens;
  QT_TRY(tokens.texts, metadata.string_list_field(key("tokens")));
  if (tokens.texts.size() > kMaxTokenIds)
    return Error(Code::kExhausted, key("tokens") + " has " + std::to_string(tokens.texts.size()) +
                                       " tokens; at most " + std::to_string(kMaxTokenIds) +
                                       " are read");
  if (!metadata.has(key("token_type"))) {
    tokens.types.assign(tokens.texts.size(), kNormal);
    return tokens;
  }
  QT_TRY(tokens.types, metadata.int_list_field(key("token_type")));
  if (tokens.types.size() != tokens.texts.size())
    return corrupt("token_type", "is not as long as the list of tokens");
  return tokens;
}

void add_tokens(const Tokens& tokens, BpeDefinition& out) {
  for (size_t i = 0; i < tokens.texts.size(); ++i) {
    const std::string text(tokens.texts[i]);
    const auto id = static_cast<int32_t>(i);
    out.vocabulary.emplace_back(text, id);
    const int64_t type = tokens.types[i];
    if (type != kControl && type != kUserDefined && type != kUnknown) continue;
    out.added_tokens.push_back({.content = text, .id = id, .special = type != kUserDefined});
  }
}

// The id under `name`, where the file asks for it around a text.
Result<void> add_around(const GgufMetadata& metadata, std::string_view name, int64_t fallback,
                        size_t tokens, std::vector<int32_t>& out) {
  QT_TRY(const int64_t id, metadata.int_field(key(name), fallback));
  if (id < 0 || std::cmp_greater_equal(id, tokens)) return corrupt(name, "is no token's id");
  out.push_back(static_cast<int32_t>(id));
  return {};
}

Result<void> add_around(const GgufMetadata& metadata, bool bos, size_t tokens, BpeDefinition& out) {
  // SentencePiece's ids; byte-level vocabularies have none that are usual.
  const int64_t bos_id = out.byte_level ? -1 : 1;
  const int64_t eos_id = out.byte_level ? -1 : 2;
  QT_TRY(const bool add_bos, metadata.bool_field(key("add_bos_token"), bos));
  QT_TRY(const bool add_eos, metadata.bool_field(key("add_eos_token"), false));
  if (add_bos) QT_TRY_VOID(add_around(metadata, "bos_token_id", bos_id, tokens, out.before));
  if (add_eos) QT_TRY_VOID(add_around(metadata, "eos_token_id", eos_id, tokens, out.after));
  return {};
}

Result<const Split*> find_split(const GgufMetadata& metadata) {
  QT_TRY(const std::string_view pre, metadata.string_field(key("pre"), "default"));
  std::string known;
  for (const Split& split : kSplits) {
    for (const std::string_view name : split.names) {
      if (name.empty()) continue;
      if (name == pre) return &split;
      known.append(known.empty() ? "" : ", ").append(name);
    }
  }
  return Error(Code::kUnsupported, key("pre") + " is " + in_quotes(pre) + "; known are " + known);
}

Result<BpeDefinition> byte_level_tokenizer(const GgufMetadata& metadata) {
  BpeDefinition out;
  QT_TRY(const Tokens tokens, read_tokens(metadata));
  QT_TRY(const Texts merges, metadata.string_list_field(key("merges")));
  QT_TRY(const Split* split, find_split(metadata));
  add_tokens(tokens, out);
  for (const std::string_view merge : merges) {
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos) return corrupt("merges", "has one that is not \"a b\"");
    out.merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  if (split->compose) out.normalizers.emplace_back(NormalForm::kNfc);
  for (const std::string_view pattern : split->patterns)
    if (!pattern.empty()) out.pre_tokenizers.emplace_back(SplitRule{std::string(pattern), {}});
  out.gpt2_split = split->gpt2_split;
  out.ignore_merges = split->ignore_merges;
  out.decoders.emplace_back(FuseRule{});
  QT_TRY_VOID(add_around(metadata, split->add_bos, tokens.texts.size(), out));
  return out;
}

// All pairs of tokens that make a token: the higher its score, the earlier; of the same token the
// leftmost in the text goes first, however it is made. Source: SentencePiece's bpe_model.cc.
Result<void> add_merges(const Tokens& tokens, std::span<const float> scores, BpeDefinition& out) {
  std::unordered_map<std::string_view, size_t> index;
  std::vector<float> ranks;  // Scores from the highest on.
  uint64_t steps = 0;
  for (size_t i = 0; i < tokens.texts.size(); ++i) {
    if (tokens.types[i] != kNormal) continue;
    index.emplace(tokens.texts[i], i);
    ranks.push_back(scores[i]);
    steps += uint64_t{tokens.texts[i].size()} * tokens.texts[i].size();
  }
  if (steps > kMaxMergeSteps)
    return Error(Code::kExhausted, key("tokens") + " has tokens too long to be made by merges");
  std::ranges::sort(ranks, std::ranges::greater());
  ranks.erase(std::ranges::unique(ranks).begin(), ranks.end());
  for (const auto& [text, i] : index) {
    const auto place = std::ranges::lower_bound(ranks, scores[i], std::ranges::greater());
    for (size_t at = 1; at < text.size(); ++at) {
      const std::string_view left = text.substr(0, at);
      const std::string_view right = text.substr(at);
      if (!index.contains(left) || !index.contains(right)) continue;
      out.merges.emplace_back(left, right);
      out.merge_ranks.push_back(static_cast<int32_t>(place - ranks.begin()));
    }
  }
  return {};
}

Result<BpeDefinition> sentencepiece_tokenizer(const GgufMetadata& metadata) {
  BpeDefinition out;
  out.byte_level = false;
  out.fuse_unknown = true;
  QT_TRY(const Tokens tokens, read_tokens(metadata));
  QT_TRY(const std::vector<float> scores, metadata.float_list_field(key("scores")));
  if (scores.size() != tokens.texts.size())
    return corrupt("scores", "is not as long as the list of tokens");
  if (!std::ranges::all_of(scores, [](float score) { return std::isfinite(score); }))
    return corrupt("scores", "holds what is no number");
  add_tokens(tokens, out);
  QT_TRY_VOID(add_merges(tokens, scores, out));
  out.byte_fallback = std::ranges::count(tokens.types, kByte) > 0;
  QT_TRY(const int64_t unknown, metadata.int_field(key("unknown_token_id"), 0));
  if (unknown >= 0 && std::cmp_less(unknown, tokens.texts.size()))
    out.unknown_token = tokens.texts[static_cast<size_t>(unknown)];

  QT_TRY(const bool space, metadata.bool_field(key("add_space_prefix"), true));
  const std::string metaspace(kMetaspace);
  if (space) out.normalizers.emplace_back(PrefixRule{.text = metaspace});
  out.normalizers.emplace_back(ReplaceRule{.pattern = " ", .content = metaspace});
  out.decoders = {ReplaceRule{.pattern = metaspace, .content = " "}, ByteFallbackRule{},
                  FuseRule{}};
  if (space) out.decoders.emplace_back(TrimRule{.content = " ", .start = 1});
  QT_TRY_VOID(add_around(metadata, true, tokens.texts.size(), out));
  return out;
}

}  // namespace

Result<BpeDefinition> gguf_tokenizer(const GgufMetadata& metadata) {
  QT_TRY(const std::string_view model, metadata.string_field(key("model")));
  if (model == "gpt2") return byte_level_tokenizer(metadata);
  if (model == "llama") return sentencepiece_tokenizer(metadata);
  return Error(Code::kUnsupported, key("model") + " is " + in_quotes(model) +
                                       "; known are gpt2 and llama (byte-pair encodings)");
}

}  // namespace quintet::io

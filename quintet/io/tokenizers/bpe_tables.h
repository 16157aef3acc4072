// What a BPE tokenizer works on: flat arrays, made from a definition or lying in a
// mapped file, and the few settings beside them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/formats/weight_file.h"
#include "quintet/io/tokenizers/added_tokens.h"
#include "quintet/io/tokenizers/bpe_definition.h"
#include "quintet/io/tokenizers/bpe_merger.h"
#include "quintet/io/tokenizers/bpe_settings.h"

namespace quintet::io {

inline constexpr size_t kMaxTokenIds = size_t{1} << 20;

enum TokenFlag : uint8_t {
  kKnown = 1,
  kSpecial = 2,
  kMergeable = 4,  // Of the vocabulary, not only an added token. Not set in files of version 1.
};

template <template <typename> typename Array>
struct BpeArrays {
  Array<int32_t> token_begin;  // [ids + 1]: token i is bytes[token_begin[i]] up to the next one's.
  Array<uint8_t> token_flags;  // [ids]: TokenFlag values.
  Array<uint8_t> bytes;        // Of all tokens.
  Array<int32_t> by_bytes;     // Ids in rising order of their bytes, one for each content.
  MergeTable<Array> merges;
  AddedTokenTree<Array> given;       // Tokens recognised in the text as given.
  AddedTokenTree<Array> normalized;  // And in normalised text.
};

struct BpeTables {
  BpeArrays<ArrayView> arrays;
  BpeSettings settings;
  std::shared_ptr<const void> memory;  // What the arrays lie in.
};

// Errors: kCorrupt where the definition contradicts itself; kExhausted past the limits
// (1,048,576 ids, 2 GiB of tokens).
Result<BpeTables> build_bpe_tables(const BpeDefinition& definition);

// As they stand in a packed file: the arrays as tensors "tokenizer.<array>", the settings as text
// (bpe_settings.h) under the metadata key "tokenizer".
inline constexpr std::string_view kTokenizerMetadata = "tokenizer";
inline constexpr std::string_view kTokenizerTensors = "tokenizer.";
std::vector<TensorEntry> tensors_of(const BpeTables& tables);

// The tables in `file`, used where they lie; every number in them is checked.
// Errors: kCorrupt, naming the array; kUnsupported for tables of another version.
// Cost: one pass over the arrays.
Result<BpeTables> read_bpe_tables(const WeightFile& file);

// Calls visit(name, array...) with the same array of each of `arrays`.
template <typename Visit, typename... Arrays>
void for_each_array(Visit&& visit, Arrays&... arrays) {
  visit("token_begin", arrays.token_begin...);
  visit("token_flags", arrays.token_flags...);
  visit("bytes", arrays.bytes...);
  visit("by_bytes", arrays.by_bytes...);
  visit("byte_ids", arrays.merges.byte_ids...);
  visit("merge_begin", arrays.merges.merge_begin...);
  visit("merge_right", arrays.merges.right...);
  visit("merge_rank", arrays.merges.rank...);
  visit("merge_result", arrays.merges.merged...);
  visit("given.first_child", arrays.given.first_child...);
  visit("given.byte", arrays.given.byte...);
  visit("given.token", arrays.given.token...);
  visit("given.flags", arrays.given.flags...);
  visit("normalized.first_child", arrays.normalized.first_child...);
  visit("normalized.byte", arrays.normalized.byte...);
  visit("normalized.token", arrays.normalized.token...);
  visit("normalized.flags", arrays.normalized.flags...);
}

}  // namespace quintet::io

// Kept beginnings of prompts in a file: the pages of a prefix tree, for a later process that runs
// the same model.
//
//   magic "QNTPREFX", version u32, cache format u32 (0: f32, 1: bf16, 2: int8),
//   layers, heads, head dimension, bytes of a page, number of pages: u64 each,
//   fingerprint: 64 hexadecimal digits;
//   each page: number of the page before it (i32, smaller than its own; -1: it begins a prompt),
//     its 64 tokens (i32), its keys and values as KeyValuePages lays them out;
//   SHA-256 of all that, 64 hexadecimal digits.
// All little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/engine/models/language/model.h"
#include "quintet/engine/nn/key_value_pages.h"
#include "quintet/engine/nn/prefix_tree.h"

namespace quintet::text {

// What keys and values depend on besides the tokens: the configuration, the plan, a sample of the
// bytes of each tensor, the instruction set, and whether operators are fused. 64 hexadecimal
// digits. Cost: some kilobytes of each tensor.
std::string prefix_fingerprint(const language::Model& model, bool baseline);

// Writes all pages of `tree`, parents first, by way of a temporary file.
// Errors: those of write_file_atomically.
Result<void> write_prefixes(const std::filesystem::path& file, const nn::PrefixTree& tree,
                            const nn::KeyValuePages& cache, const std::string& fingerprint);

// A page as it stands in the file, into whose bytes it points.
struct StoredPage {
  int32_t parent;  // Number of a page before it; -1: none.
  std::vector<int32_t> tokens;
  std::span<const std::byte> data;  // KeyValuePages::page_bytes().
};

// Errors: kCorrupt where it is no such file, cut or damaged; kUnsupported for another version;
// kInvalidArgument where another model, precision or instruction set made it.
Result<std::vector<StoredPage>> parse_prefixes(std::span<const std::byte> bytes,
                                               const nn::KeyValuePages& cache,
                                               const std::string& fingerprint);

// Adds the pages to `tree`, the first ones as far as the cache has room; gives how many.
int64_t add_prefixes(std::span<const StoredPage> pages, nn::PrefixTree& tree,
                     nn::KeyValuePages& cache);

}  // namespace quintet::text

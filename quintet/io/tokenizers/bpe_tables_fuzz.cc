// A packed file with the tables of a tokenizer, which then has to work on some text.
#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "quintet/io/formats/fuzz_weights.h"
#include "quintet/io/formats/packed.h"
#include "quintet/io/tokenizers/fuzz_tokenizer.h"

using namespace quintet::io;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> bytes(data, data + size);
  repair_packed(bytes);
  const auto file = parse_packed(std::as_bytes(std::span(bytes)), "input");
  if (!file) return 0;
  auto tables = read_bpe_tables(*file);
  if (!tables) return 0;
  const auto tokenizer = BpeTokenizer::open(*std::move(tables));
  if (!tokenizer) return 0;
  use_tokenizer(*tokenizer,
                "The caf\u00e9's 12 <|x|> caf\u0065\u0301  \xff\xfe\t\u4f60\u597d aaaabc don't ");
  constexpr size_t kMostText = 256;
  use_tokenizer(*tokenizer, {reinterpret_cast<const char*>(data) + size - std::min(size, kMostText),
                             std::min(size, kMostText)});
  return 0;
}

// A packed file with the tables of a tokenizer, which then has to work on some text.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "quintet/io/formats/fuzz_weights.h"
#include "quintet/io/formats/packed.h"
#include "quintet/io/tokenizers/bpe_tokenizer.h"

namespace {

using namespace quintet::io;

void use(const BpeTokenizer& tokenizer, std::string_view text) {
  const std::vector<int32_t> ids = tokenizer.encode(text);
  for (const int32_t id : ids) {
    if (id < 0 || id >= tokenizer.size()) std::abort();
  }
  const std::string decoded = tokenizer.decode(ids, SpecialTokens::kKeep);
  static_cast<void>(tokenizer.token_id(decoded));
  for (int32_t id = -1; id <= tokenizer.size(); ++id) {
    static_cast<void>(tokenizer.token_id(tokenizer.token_bytes(id)));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> bytes(data, data + size);
  repair_packed(bytes);
  const auto file = parse_packed(std::as_bytes(std::span(bytes)), "input");
  if (!file) return 0;
  auto tables = read_bpe_tables(*file);
  if (!tables) return 0;
  const auto tokenizer = BpeTokenizer::open(*std::move(tables));
  if (!tokenizer) return 0;
  use(*tokenizer, "The caf\u00e9's 12 <|x|> caf\u0065\u0301  \xff\xfe\t\u4f60\u597d aaaabc don't ");
  constexpr size_t kMostText = 256;
  use(*tokenizer, {reinterpret_cast<const char*>(data) + size - std::min(size, kMostText),
                   std::min(size, kMostText)});
  return 0;
}

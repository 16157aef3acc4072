// The head of a GGUF file whose keys describe a tokenizer, which then has to work on some text.
#include <cstdint>
#include <span>
#include <string_view>

#include "quintet/io/tokenizers/fuzz_tokenizer.h"
#include "quintet/io/tokenizers/gguf_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quintet::io;
  ByteCursor in(std::as_bytes(std::span(data, size)));
  const auto header = GgufHeader::read(in, "fuzz");
  if (!header) return 0;
  const auto definition = gguf_tokenizer(header->metadata);
  if (!definition) return 0;
  const auto tokenizer = BpeTokenizer::build(*definition, "fuzz");
  if (!tokenizer) return 0;
  use_tokenizer(*tokenizer, "The caf\u00e9's 12 <s>  <user>\xff\t\u4f60\u597d aaaabc don't ");
  use_tokenizer(*tokenizer, {reinterpret_cast<const char*>(data), size});
  return 0;
}

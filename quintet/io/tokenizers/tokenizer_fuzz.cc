// The first bytes up to a line that is "---" are a tokenizer.json; the rest is text to encode.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "quintet/io/tokenizers/bpe_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kSeparator = "\n---\n";
  const size_t end = input.find(kSeparator);
  const std::string_view text =
      end == std::string_view::npos ? input : input.substr(end + kSeparator.size());
  const auto tokenizer = quintet::io::BpeTokenizer::parse(input.substr(0, end), "fuzz");
  if (!tokenizer) return 0;
  for (const int32_t id : tokenizer->encode(text))
    if (id < 0 || id >= tokenizer->size()) std::abort();
  const auto ids = tokenizer->encode(text);
  static_cast<void>(tokenizer->decode(ids, quintet::io::SpecialTokens::kKeep));
  return 0;
}

// The first bytes up to a line that is "---" are a tokenizer.json; the rest is text to encode.
#include <cstdint>
#include <string_view>

#include "quintet/io/tokenizers/fuzz_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kSeparator = "\n---\n";
  const size_t end = input.find(kSeparator);
  const std::string_view text =
      end == std::string_view::npos ? input : input.substr(end + kSeparator.size());
  const auto tokenizer = quintet::io::BpeTokenizer::parse(input.substr(0, end), "fuzz");
  if (tokenizer) quintet::io::use_tokenizer(*tokenizer, text);
  return 0;
}

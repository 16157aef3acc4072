#include "quintet/engine/text/constraint_vocabulary.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace quintet::text {

std::shared_ptr<const decode::VocabularyTrie> constraint_vocabulary(
    const io::BpeTokenizer& tokenizer, int64_t vocabulary) {
  // Some decoders drop the space of the first token: each is decoded behind another one.
  const int32_t before = tokenizer.token_id("a").value_or(0);
  const size_t before_bytes = tokenizer.decode({&before, 1}, io::SpecialTokens::kKeep).size();
  std::vector<std::string> texts(static_cast<size_t>(vocabulary));
  for (int64_t i = 0; i < std::min(vocabulary, tokenizer.size()); ++i) {
    const auto token = static_cast<int32_t>(i);
    if (!tokenizer.knows(token) || tokenizer.is_special(token)) continue;
    const std::array<int32_t, 2> both = {before, token};
    std::string text = tokenizer.decode(both, io::SpecialTokens::kKeep);
    if (text.size() > before_bytes) texts[static_cast<size_t>(i)] = text.substr(before_bytes);
  }
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  return std::make_shared<const decode::VocabularyTrie>(views);
}

}  // namespace quintet::text

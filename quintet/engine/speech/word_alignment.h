// Times of words from the decoder's cross-attention.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "quintet/engine/models/whisper/model.h"
#include "quintet/engine/speech/transcript.h"
#include "quintet/engine/speech/vocabulary.h"

namespace quintet::speech {

// Fills `words` of the segments of one window, which covers `length_seconds` from `begin_seconds`
// on. The decoder runs once more over all of their text; its alignment heads say where each token
// was heard, and dynamic time warping makes that monotonic. Source: openai/whisper timing.py.
void align_words(const whisper::EncodedWindow& window, const whisper::Model& model,
                 const Vocabulary& vocabulary, const Language& language, Task task,
                 double begin_seconds, double length_seconds, std::vector<Segment>& segments);

// Tokens in groups that make words: at spaces, or at characters in languages without spaces.
struct TokenGroup {
  std::string text;
  std::vector<int32_t> tokens;
};
std::vector<TokenGroup> split_words(const std::vector<int32_t>& tokens,
                                    const io::BpeTokenizer& tokenizer, std::string_view language);

// The cheapest monotonic path through `cost` [rows, columns]: for each row the first column at
// which the path is in it.
std::vector<int64_t> first_columns_of_best_path(const std::vector<float>& cost, int64_t rows,
                                                int64_t columns);

}  // namespace quintet::speech

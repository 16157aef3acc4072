// What a run takes, by stage.
#pragma once

#include <cstdint>

namespace quintet {

// Milliseconds by stage; of speech, summed over windows.
struct Timings {
  double load = 0;         // Of the model, when it was loaded.
  double preprocess = 0;   // Reading, resampling, log-mel; tokenising.
  double encode = 0;       // Encoder, and cross-attention keys and values.
  double prefill = 0;      // Prompts; of speech, language detection among them.
  double first_token = 0;  // From the start to the first token of text.
  double decode = 0;       // Everything from there to the end of the search.
  double total = 0;        // All of it, without load.
  int64_t tokens = 0;      // Produced while decoding.

  double tokens_per_second() const {
    return decode > 0 ? 1e3 * static_cast<double>(tokens) / decode : 0;
  }
};

}  // namespace quintet

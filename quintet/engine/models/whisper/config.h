// Shapes and generation rules of a Whisper model, from whichever file describes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::whisper {

// Variants (tiny to large-v3, turbo, distilled) differ in these numbers only.
struct Config {
  int64_t mel_bins = 0;  // F: 80, or 128 from large-v3 on.
  int64_t d_model = 0;   // D
  int64_t encoder_layers = 0;
  int64_t encoder_heads = 0;
  int64_t encoder_ffn = 0;
  int64_t decoder_layers = 0;  // Fewer than the encoder's in turbo and distilled models.
  int64_t decoder_heads = 0;
  int64_t decoder_ffn = 0;
  int64_t vocabulary = 0;       // V
  int64_t audio_positions = 0;  // Encoder outputs of a full window: 1500, 20 ms each.
  int64_t text_positions = 0;   // Longest token sequence: 448.

  int64_t mel_frames() const { return 2 * audio_positions; }  // 10 ms each.
};

struct AlignmentHead {
  int64_t layer = 0;
  int64_t head = 0;
};

// What the publisher says about decoding.
struct GenerationConfig {
  std::vector<int32_t> suppress;               // Never produced.
  std::vector<int32_t> suppress_begin;         // Not produced as the first token.
  std::vector<AlignmentHead> alignment_heads;  // Empty: all heads of the upper half of the decoder.
  std::optional<bool> multilingual;            // Unset: the vocabulary decides.
};

// From a Hugging Face config.json and generation_config.json (empty: absent).
// Errors: kCorrupt with the key; kUnsupported where the model is not a Whisper or asks for
// something else than Whisper's published computation.
Result<Config> config_from_json(const std::string& config_json);
Result<GenerationConfig> generation_from_json(const std::string& config_json,
                                              const std::string& generation_json);

// From a CTranslate2 model: shapes and scalars among the tensors, lists in its config.json.
Result<Config> config_from_ct2(const io::WeightFile& weights);
Result<GenerationConfig> generation_from_ct2(const std::string& config_json);

// The inverse of config_from_json and generation_from_json.
std::string config_to_json(const Config& config);
std::string generation_to_json(const GenerationConfig& generation);

}  // namespace quintet::whisper

// Weights of a Whisper model in the layouts that the kernels read, and how they get there.
#pragma once

#include <string>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/core/result.h"
#include "quintet/core/thread_pool.h"
#include "quintet/engine/models/whisper/config.h"
#include "quintet/engine/models/whisper/layers.h"
#include "quintet/engine/models/whisper/plan.h"
#include "quintet/engine/nn/linear.h"
#include "quintet/engine/nn/output_head.h"
#include "quintet/engine/nn/weight_formats.h"
#include "quintet/engine/precision.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::whisper {

struct EncoderLayer {
  nn::LayerNorm norm1;
  nn::Linear qkv;  // [3 D, D]
  nn::Linear out;  // [D, D]
  nn::LayerNorm norm2;
  nn::Linear fc1;  // [ffn, D]
  nn::Linear fc2;  // [D, ffn]
};

struct DecoderLayer {
  nn::LayerNorm norm1;
  nn::Linear qkv;  // [3 D, D]
  nn::Linear out;  // [D, D]
  nn::LayerNorm cross_norm;
  nn::Linear cross_q;    // [D, D]
  nn::Linear cross_kv;   // [2 D, D]: keys, values
  nn::Linear cross_out;  // [D, D]
  nn::LayerNorm norm2;
  nn::Linear fc1;  // [ffn, D]
  nn::Linear fc2;  // [D, ffn]
};

// Pointers into the tensors of a PackedModel.
struct Weights {
  nn::Linear conv1;                // [D, 3 F]
  nn::Linear conv2;                // [D, 3 D]
  const float* encoder_positions;  // [audio_positions, D]
  std::vector<EncoderLayer> encoder;
  nn::LayerNorm encoder_norm;
  nn::OutputHead head;             // Token embeddings and output head [V, D]
  const float* decoder_positions;  // [text_positions, D]
  std::vector<DecoderLayer> decoder;
  nn::LayerNorm decoder_norm;
};

// Tensors in kernel layouts: made from published weights in memory, or mapped from a packed file.
struct PackedModel {
  Precision precision = Precision::kF32;  // The name that stands for the whole.
  Plan plan;
  io::WeightFile tensors;
  AlignedBytes memory;  // What the tensors point into, unless they are mapped.
};

// The tensors that hold layer `spec` whose matrix, if it is one, has `format`: of a matrix those of
// nn::stored_tensors and a bias, of the embedding those of nn::stored_head_tensors, otherwise gamma
// and beta, or the table.
std::vector<nn::StoredTensor> layer_tensors(const LayerSpec& spec, kernels::WeightFormat format);

// Packs the published weights of `source` (Hugging Face or CTranslate2) as `plan` says, without
// ever holding more than some rows of a layer in float32. Pages of the source that are done with
// are given back. REQUIRES: the plan has an entry for every matrix of the configuration.
// Errors: as PublishedLayer::open.
Result<PackedModel> pack_model(const io::WeightFile& source, const Config& config,
                               Precision precision, Plan plan, ThreadPool& pool);

// Finds every weight among the tensors of `model`.
// Errors: kCorrupt where one is missing or has a shape that does not follow from `config`.
Result<Weights> bind_weights(const PackedModel& model, const Config& config);

}  // namespace quintet::whisper

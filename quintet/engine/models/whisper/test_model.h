// The random model of tests/goldens/tiny-whisper, in other formats, for the tests in this folder.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <list>
#include <numeric>
#include <string>
#include <vector>

#include "quintet/core/file.h"
#include "quintet/engine/models/whisper/layers.h"
#include "quintet/engine/models/whisper/model.h"
#include "quintet/engine/weights/published_layer.h"
#include "quintet/io/formats/ct2.h"
#include "quintet/io/formats/test_files.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::whisper::testing {

inline std::filesystem::path tiny_folder() {
  return std::filesystem::path(QUINTET_SOURCE_DIR) / "tests/goldens/tiny-whisper";
}

inline std::string tiny_file(const char* name) {
  return read_file(tiny_folder() / name, 1 << 20).value();
}

inline Config tiny_config() { return config_from_json(tiny_file("config.json")).value(); }

// The tensors of a CTranslate2 model, as far as config_from_ct2 looks at them: shapes and scalars.
inline io::WeightFile describe_ct2(const Config& config) {
  static std::list<int16_t> numbers;
  io::WeightFile file;
  file.format = "ct2";
  file.metadata["spec_name"] = "WhisperSpec";
  for (const LayerSpec& spec : layer_specs(config)) {
    const Shape shape =
        spec.kind == LayerKind::kConv ? Shape{spec.n, spec.k / 3, 3} : Shape{spec.n, spec.k};
    const bool table = spec.kind == LayerKind::kTable;
    file.tensors[table ? spec.ct2 : spec.ct2 + "/weight"] = {DType::kF32, shape, {}};
  }
  const auto scalar = [&](const char* name, int64_t value) {
    numbers.push_back(static_cast<int16_t>(value));
    file.tensors[name] = {DType::kI16, {}, std::as_bytes(std::span(&numbers.back(), 1))};
  };
  scalar("encoder/num_heads", config.encoder_heads);
  scalar("decoder/num_heads", config.decoder_heads);
  return file;
}

// Tensors with bytes of their own.
class TensorList {
 public:
  template <typename T>
  void add(const std::string& name, DType dtype, const Shape& shape, const std::vector<T>& values) {
    auto& bytes = bytes_.emplace_back(values.size() * sizeof(T));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    entries_.push_back({name, dtype, shape, bytes});
  }
  void add_floats(const std::string& name, DType dtype, const Shape& shape,
                  const std::vector<float>& values) {
    if (dtype == DType::kF32) return add(name, dtype, shape, values);
    std::vector<uint16_t> halves;
    for (const float x : values) {
      halves.push_back(dtype == DType::kF16 ? f16_from_f32(x) : bf16_from_f32(x).bits);
    }
    add(name, dtype, shape, halves);
  }
  const std::vector<io::TensorEntry>& entries() const { return entries_; }

 private:
  std::list<std::vector<std::byte>> bytes_;
  std::vector<io::TensorEntry> entries_;
};

// Rows as CTranslate2 quantises them: round(w * scale) with scale = 127 / max|w|.
inline void add_int8(TensorList& out, const std::string& name, const LayerSpec& spec,
                     const std::vector<float>& weight) {
  std::vector<int8_t> stored;
  std::vector<float> scales;
  for (int64_t i = 0; i < spec.n; ++i) {
    const auto row =
        std::span(weight).subspan(static_cast<size_t>(i * spec.k), static_cast<size_t>(spec.k));
    float top = 0;
    for (const float x : row) top = std::max(top, std::abs(x));
    scales.push_back(top > 0 ? 127 / top : 1);
    for (const float x : row) stored.push_back(static_cast<int8_t>(std::lround(x * scales.back())));
  }
  out.add(name, DType::kI8, {spec.n, spec.k}, stored);
  out.add(name + "_scale", DType::kF32, {spec.n}, scales);
}

// Writes the tiny model as CTranslate2's converter does: float32, float16, or int8 with float32
// convolutions.
inline void write_tiny_ct2(const std::filesystem::path& folder, DType dtype) {
  const Config config = tiny_config();
  const io::WeightFile source = io::read_weights(tiny_folder()).value();
  const DType floats = dtype == DType::kI8 ? DType::kF32 : dtype;
  TensorList tensors;
  for (const LayerSpec& spec : layer_specs(config)) {
    const weights::DenseLayer layer = weights::read_layer(source, spec).value();
    const bool norm = spec.kind == LayerKind::kNorm;
    const std::string name =
        spec.kind == LayerKind::kTable ? spec.ct2 : spec.ct2 + (norm ? "/gamma" : "/weight");
    const bool matrix = spec.kind == LayerKind::kLinear || spec.kind == LayerKind::kEmbedding;
    const Shape shape = norm                            ? Shape{spec.n}
                        : spec.kind == LayerKind::kConv ? Shape{spec.n, spec.k / 3, 3}
                                                        : Shape{spec.n, spec.k};
    if (matrix && dtype == DType::kI8) {
      add_int8(tensors, name, spec, layer.weight);
    } else {
      tensors.add_floats(name, floats, shape, layer.weight);
    }
    if (!layer.bias.empty()) {
      tensors.add_floats(spec.ct2 + (norm ? "/beta" : "/bias"), floats, {spec.n}, layer.bias);
    }
  }
  tensors.add("encoder/num_heads", DType::kI16, {}, std::vector<int16_t>{4});
  tensors.add("decoder/num_heads", DType::kI16, {}, std::vector<int16_t>{4});
  const std::array<io::Ct2Alias, 1> aliases = {
      {{"decoder/projection/weight", "decoder/embeddings/weight"}}};
  ASSERT_TRUE(io::write_ct2(folder / "model.bin", {.spec_name = "WhisperSpec",
                                                   .spec_revision = 3,
                                                   .entries = tensors.entries(),
                                                   .aliases = aliases}));
  ASSERT_TRUE(write_file_atomically(folder / "config.json", R"({"suppress_ids": []})"));
}

// Logits [tokens, V] of `tokens` read in one pass as a sequence of their own.
inline std::vector<float> logits_of(const EncodedWindow& window,
                                    const std::vector<int32_t>& tokens) {
  const decode::Sequence sequence = window.begin();
  std::vector<decode::StepRow> rows;
  for (const int32_t token : tokens) rows.push_back({.sequence = sequence.id(), .token = token});
  const int64_t v = window.decoder().vocabulary();
  std::vector<float> logits(tokens.size() * static_cast<size_t>(v));
  window.decoder().forward(rows, matrix(logits.data(), std::ssize(rows), v));
  return logits;
}

// Logits of a fixed prompt over a fixed spectrogram.
inline std::vector<float> logits_of(const Model& model, ThreadPool& pool, bool baseline = false) {
  Session session(model, pool, baseline);
  const auto mel = session.encoder().mel(model.config.mel_frames());
  for (int64_t t = 0; t < mel.rows; ++t) {
    for (int64_t f = 0; f < mel.cols; ++f) {
      mel.row(t)[f] = std::sin(0.1f * static_cast<float>(t * (f + 1) % 97));
    }
  }
  return logits_of(session.encode(mel.rows), {1, 17, 300, 42});
}

// max|a - b| / max|b|
inline float relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  float difference = 0;
  float scale = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    difference = std::max(difference, std::abs(a[i] - b[i]));
    scale = std::max(scale, std::abs(b[i]));
  }
  return difference / scale;
}

}  // namespace quintet::whisper::testing

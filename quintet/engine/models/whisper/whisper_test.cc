// Parity with Hugging Face Transformers in float32.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "quintet/core/cpu.h"
#include "quintet/core/env.h"
#include "quintet/engine/decode/search.h"
#include "quintet/engine/models/whisper/model.h"
#include "quintet/io/formats/safetensors.h"
#include "quintet/io/media/audio.h"
#include "quintet/kernels/mel/mel.h"

namespace quintet::whisper {
namespace {

namespace fs = std::filesystem;

const fs::path kGoldens = fs::path(QUINTET_SOURCE_DIR) / "tests/goldens";

fs::path whisper_base() {
  return fs::path(env("QUINTET_TEST_MODELS").value_or(QUINTET_SOURCE_DIR "/models")) /
         "whisper-base";
}

std::vector<float> golden_floats(const io::WeightFile& file, const char* name) {
  const TensorRef* tensor = file.find(name);
  EXPECT_NE(tensor, nullptr) << name;
  if (tensor == nullptr) return {};
  return io::to_f32(*tensor).value();
}

std::vector<int32_t> golden_tokens(const io::WeightFile& file, const char* name) {
  std::vector<int32_t> tokens;
  for (const float value : golden_floats(file, name)) tokens.push_back(static_cast<int32_t>(value));
  return tokens;
}

// max|a - b| / max|b|
double relative_error(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0;
  double scale = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    difference = std::max(difference, std::abs(double{a[i]} - double{b[i]}));
    scale = std::max(scale, std::abs(double{b[i]}));
  }
  return difference / scale;
}

// mel [F, frames] as the goldens have it -> [frames, F].
void set_mel(Session& session, const Model& model, const std::vector<float>& mel) {
  const int64_t frames = model.config.mel_frames();
  const auto view = session.encoder().mel(frames);
  ASSERT_EQ(static_cast<int64_t>(mel.size()), frames * model.config.mel_bins);
  for (int64_t t = 0; t < frames; ++t) {
    for (int64_t f = 0; f < model.config.mel_bins; ++f) {
      view.row(t)[f] = mel[static_cast<size_t>(f * frames + t)];
    }
  }
}

std::span<const float> flat(MatrixView<const float> m) {
  return {m.data, static_cast<size_t>(m.rows * m.stride)};
}

struct Case {
  Precision precision;
  bool baseline;
  double tolerance;
};

class TinyWhisper : public testing::TestWithParam<std::tuple<Isa, Case>> {
 protected:
  void SetUp() override { set_active_isa(std::get<0>(GetParam())); }
  void TearDown() override { set_active_isa(before_); }
  Isa before_ = active_isa();
};

TEST_P(TinyWhisper, EncoderAndLogitsEqualTheReference) {
  const Case c = std::get<1>(GetParam());
  ThreadPool pool(2);
  auto model = load_model(kGoldens / "tiny-whisper", c.precision, pool);
  ASSERT_TRUE(model) << model.error().message();
  auto golden = io::read_weights(kGoldens / "tiny-whisper/golden.safetensors");
  ASSERT_TRUE(golden) << golden.error().message();
  Session session(**model, pool, 1, c.baseline);
  set_mel(session, **model, golden_floats(*golden, "mel"));
  session.encode((*model)->config.mel_frames());
  EXPECT_LT(
      relative_error(flat(session.encoder().output()), golden_floats(*golden, "encoder_last")),
      c.tolerance);

  const std::vector<int32_t> tokens = golden_tokens(*golden, "decoder_input_ids");
  const int64_t vocabulary = (*model)->config.vocabulary;
  std::vector<float> logits(tokens.size() * static_cast<size_t>(vocabulary));
  session.decoder().start(tokens,
                          matrix(logits.data(), static_cast<int64_t>(tokens.size()), vocabulary));
  EXPECT_LT(relative_error(logits, golden_floats(*golden, "logits")), c.tolerance);
}

TEST_P(TinyWhisper, StepsGiveTheSameLogitsAsOnePass) {
  const Case c = std::get<1>(GetParam());
  ThreadPool pool(2);
  auto model = load_model(kGoldens / "tiny-whisper", c.precision, pool);
  ASSERT_TRUE(model) << model.error().message();
  Session session(**model, pool, 3, c.baseline);
  session.encode(120);
  const int64_t v = (*model)->config.vocabulary;
  const std::vector<int32_t> tokens = {1, 17, 300, 42, 9, 77};
  std::vector<float> all(tokens.size() * static_cast<size_t>(v));
  session.decoder().start(tokens, matrix(all.data(), static_cast<int64_t>(tokens.size()), v));

  // The same tokens one by one, as the middle one of three sequences that part and change parents.
  std::vector<float> first(static_cast<size_t>(v));
  session.decoder().start(std::span(tokens).first(1), matrix(first.data(), 1, v));
  std::vector<float> step(static_cast<size_t>(3 * v));
  for (size_t i = 1; i < tokens.size(); ++i) {
    const std::vector<int32_t> parents =
        i == 1 ? std::vector<int32_t>{0, 0, 0} : std::vector<int32_t>{1, 1, 2};
    const std::vector<int32_t> next = {5, tokens[i], 6};
    session.decoder().step(parents, next, matrix(step.data(), 3, v));
    for (int64_t j = 0; j < v; ++j) {
      ASSERT_EQ(step[static_cast<size_t>(v + j)],
                all[i * static_cast<size_t>(v) + static_cast<size_t>(j)])
          << "token " << i << ", logit " << j;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    EveryIsa, TinyWhisper,
    testing::Combine(testing::ValuesIn(supported_isas()),
                     testing::Values(Case{Precision::kF32, true, 1e-3},
                                     Case{Precision::kF32, false, 1e-3},
                                     // A random model of width 64 has no redundancy to hide
                                     // rounding: 8 bits of mantissa, 7 bits of int8.
                                     Case{Precision::kBF16, false, 0.05},
                                     Case{Precision::kInt8, false, 0.1})),
    [](const auto& test) {
      const Case c = std::get<1>(test.param);
      return std::string(isa_name(std::get<0>(test.param))) + "_" +
             std::string(precision_name(c.precision)) + (c.baseline ? "_baseline" : "");
    });

class WhisperBaseGolden : public testing::Test {
 protected:
  void SetUp() override {
    if (fs::exists(whisper_base())) return;
    // Whoever names a folder of models means the tests to run.
    if (env("QUINTET_TEST_MODELS")) FAIL() << whisper_base() << " is not there";
    GTEST_SKIP() << whisper_base() << " is not there and QUINTET_TEST_MODELS is not set";
  }
};

TEST_F(WhisperBaseGolden, EveryStageEqualsTheReference) {
  ThreadPool pool(2);
  auto model = load_model(whisper_base(), Precision::kF32, pool);
  ASSERT_TRUE(model) << model.error().message();
  auto golden = io::read_weights(kGoldens / "whisper-base/jfk.safetensors");
  ASSERT_TRUE(golden) << golden.error().message();
  auto audio = io::read_audio(fs::path(QUINTET_SOURCE_DIR) / "tests/data/speech/jfk.wav");
  ASSERT_TRUE(audio) << audio.error().message();

  Session session(**model, pool, 1, /*baseline=*/true);
  const Config& config = (*model)->config;
  const auto mel = session.encoder().mel(config.mel_frames());
  const kernels::MelFilter filter(config.mel_bins);
  kernels::normalize_log_mel(mel, filter.log_mel(*audio, mel, pool));
  const std::vector<float> golden_mel = golden_floats(*golden, "mel");
  float mel_error = 0;
  for (int64_t t = 0; t < mel.rows; ++t) {
    for (int64_t f = 0; f < mel.cols; ++f) {
      mel_error = std::max(
          mel_error, std::abs(mel.row(t)[f] - golden_mel[static_cast<size_t>(f * mel.rows + t)]));
    }
  }
  EXPECT_LT(mel_error, 1e-4f);

  session.encode(config.mel_frames());
  EXPECT_LT(
      relative_error(flat(session.encoder().output()), golden_floats(*golden, "encoder_last")),
      1e-3);

  const std::vector<int32_t> expected = golden_tokens(*golden, "greedy");
  const std::vector<int32_t> prompt(expected.begin(), expected.begin() + 4);
  std::vector<float> logits(static_cast<size_t>(config.vocabulary));
  session.decoder().start(prompt, matrix(logits.data(), 1, config.vocabulary));
  EXPECT_LT(relative_error(logits, golden_floats(*golden, "first_logits")), 1e-3);

  decode::LogitRules rules;
  rules.push_back(std::make_unique<decode::SuppressRule>((*model)->generation.suppress,
                                                         (*model)->generation.suppress_begin));
  auto found = decode::search(session.decoder(), logits, rules, {.end_token = expected.back()});
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->tokens, std::vector<int32_t>(expected.begin() + 4, expected.end() - 1));
  const std::vector<float> log_probs = golden_floats(*golden, "token_logprobs");
  for (size_t i = 0; i < found->log_probs.size(); ++i) {
    EXPECT_NEAR(found->log_probs[i], log_probs[i], 1e-3f) << i;
  }
}

}  // namespace
}  // namespace quintet::whisper

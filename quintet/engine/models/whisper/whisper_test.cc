// Parity with Hugging Face Transformers in float32.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <list>

#include "quintet/core/cpu.h"
#include "quintet/core/env.h"
#include "quintet/engine/decode/search.h"
#include "quintet/engine/models/whisper/model.h"
#include "quintet/engine/models/whisper/test_model.h"
#include "quintet/io/formats/safetensors.h"
#include "quintet/io/media/audio.h"
#include "quintet/kernels/mel/mel.h"
#include "quintet/kernels/softmax/softmax.h"

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

class TinyWhisper : public ::testing::TestWithParam<std::tuple<Isa, Case>> {
 protected:
  void SetUp() override {
    set_active_isa(std::get<0>(GetParam()));
    auto model = load_model(kGoldens / "tiny-whisper", case_.precision, pool_);
    ASSERT_TRUE(model) << model.error().message();
    model_ = *std::move(model);
    session_.emplace(*model_, pool_, case_.baseline);
  }
  void TearDown() override { set_active_isa(before_); }

  const Case case_ = std::get<1>(GetParam());
  Isa before_ = active_isa();
  ThreadPool pool_{2};
  std::unique_ptr<Model> model_;
  std::optional<Session> session_;
};

TEST_P(TinyWhisper, EncoderAndLogitsEqualTheReference) {
  auto golden = io::read_weights(kGoldens / "tiny-whisper/golden.safetensors");
  ASSERT_TRUE(golden) << golden.error().message();
  set_mel(*session_, *model_, golden_floats(*golden, "mel"));
  const EncodedWindow window = session_->encode(model_->config.mel_frames());
  EXPECT_LT(
      relative_error(flat(session_->encoder().output()), golden_floats(*golden, "encoder_last")),
      case_.tolerance);

  const std::vector<int32_t> tokens = golden_tokens(*golden, "decoder_input_ids");
  const std::vector<float> logits = testing::logits_of(window, tokens);
  EXPECT_LT(relative_error(logits, golden_floats(*golden, "logits")), case_.tolerance);
}

TEST_P(TinyWhisper, StepsGiveTheSameLogitsAsOnePass) {
  const EncodedWindow window = session_->encode(120);
  Decoder& decoder = session_->decoder();
  const auto v = static_cast<size_t>(decoder.vocabulary());
  const std::vector<int32_t> tokens = {1, 17, 300, 42, 9, 77};
  const std::vector<float> all = testing::logits_of(window, tokens);

  // The same tokens one by one, as the middle one of three sequences that part and change parents.
  std::vector<decode::Sequence> sequences;
  sequences.push_back(window.begin());
  std::vector<float> step(3 * v);
  const decode::StepRow first = {.sequence = sequences[0].id(), .token = tokens[0]};
  decoder.forward({&first, 1}, matrix(step.data(), 1, decoder.vocabulary()));
  for (size_t i = 1; i < tokens.size(); ++i) {
    std::vector<decode::Sequence> next;
    for (const size_t parent : i == 1 ? std::array<size_t, 3>{} : std::array<size_t, 3>{1, 1, 2}) {
      next.push_back(sequences[parent].fork());
    }
    sequences = std::move(next);
    const std::array<decode::StepRow, 3> rows = {
        {{.sequence = sequences[0].id(), .token = 5},
         {.sequence = sequences[1].id(), .token = tokens[i]},
         {.sequence = sequences[2].id(), .token = 6}}};
    decoder.forward(rows, matrix(step.data(), 3, decoder.vocabulary()));
    for (size_t j = 0; j < v; ++j) {
      ASSERT_EQ(step[v + j], all[i * v + j]) << "token " << i << ", logit " << j;
    }
  }
}

TEST_P(TinyWhisper, WindowsAndSequencesInOnePassGiveTheBitsThatEachGivesAlone) {
  ThreadPool pool(3);
  // Windows of different audio and length, each with a text of its own.
  struct Text {
    int64_t frames;
    std::vector<int32_t> tokens;
    std::vector<float> alone;
  };
  std::vector<Text> texts = {{120, {1, 17, 300, 42, 9, 77, 5, 6}, {}},
                             {80, {2, 400, 3}, {}},
                             {200, {1}, {}},
                             {120, {11, 12, 13, 14, 15}, {}}};
  Session session(*model_, pool, case_.baseline);
  const auto encode = [&](size_t i) {
    const auto mel = session.encoder().mel(texts[i].frames);
    for (int64_t t = 0; t < mel.rows; ++t) {
      for (int64_t f = 0; f < mel.cols; ++f) {
        mel.row(t)[f] =
            std::sin(0.1f * static_cast<float>(t * (f + 1 + std::ssize(texts[i].tokens)) % 97));
      }
    }
    return session.encode(texts[i].frames);
  };
  for (size_t i = 0; i < texts.size(); ++i) {
    texts[i].alone = testing::logits_of(encode(i), texts[i].tokens);
  }

  // A pass takes two tokens of the first text and one of the others; the next text begins with each
  // pass, and those that have ended make room.
  Decoder& decoder = session.decoder();
  const auto v = static_cast<size_t>(decoder.vocabulary());
  struct Running {
    size_t text;
    EncodedWindow window;
    decode::Sequence sequence;
    size_t done = 0;
  };
  std::list<Running> running;
  for (size_t pass = 0; pass < texts.size() || !running.empty(); ++pass) {
    if (pass < texts.size()) {
      EncodedWindow window = encode(pass);
      decode::Sequence sequence = window.begin();
      running.push_back({pass, std::move(window), std::move(sequence)});
    }
    std::vector<decode::StepRow> rows;
    std::vector<std::pair<size_t, size_t>> expected;  // Text and token of each row.
    for (Running& r : running) {
      const std::vector<int32_t>& tokens = texts[r.text].tokens;
      const size_t count = std::min<size_t>(r.text == 0 ? 2 : 1, tokens.size() - r.done);
      for (size_t i = 0; i < count; ++i, ++r.done) {
        rows.push_back({.sequence = r.sequence.id(), .token = tokens[r.done]});
        expected.emplace_back(r.text, r.done);
      }
    }
    std::vector<float> logits(rows.size() * v);
    decoder.forward(rows, matrix(logits.data(), std::ssize(rows), decoder.vocabulary()));
    for (size_t i = 0; i < expected.size(); ++i) {
      const auto [text, token] = expected[i];
      ASSERT_EQ(std::memcmp(logits.data() + i * v, texts[text].alone.data() + token * v,
                            v * sizeof(float)),
                0)
          << "text " << text << ", token " << token;
    }
    running.remove_if([&](const Running& r) { return r.done == texts[r.text].tokens.size(); });
  }
}

TEST_P(TinyWhisper, OnlyRowsThatWantLogitsGetThem) {
  const EncodedWindow window = session_->encode(120);
  const std::vector<int32_t> tokens = {1, 17, 300, 42, 9};
  const std::vector<float> all = testing::logits_of(window, tokens);
  const decode::Sequence sequence = window.begin();
  std::vector<decode::StepRow> rows;
  for (size_t i = 0; i < tokens.size(); ++i) {
    rows.push_back(
        {.sequence = sequence.id(), .token = tokens[i], .wants_logits = i == 1 || i == 4});
  }
  const auto v = static_cast<size_t>(session_->decoder().vocabulary());
  std::vector<float> wanted(2 * v);
  session_->decoder().forward(rows, matrix(wanted.data(), 2, session_->decoder().vocabulary()));
  EXPECT_EQ(std::memcmp(wanted.data(), all.data() + v, v * sizeof(float)), 0);
  EXPECT_EQ(std::memcmp(wanted.data() + v, all.data() + 4 * v, v * sizeof(float)), 0);
}

TEST_P(TinyWhisper, ManyMoreRowsThanTextPositionsRunInOneCall) {
  const EncodedWindow window = session_->encode(120);
  const std::vector<int32_t> tokens = {1, 17, 300};
  const std::vector<float> alone = testing::logits_of(window, tokens);
  const auto v = static_cast<size_t>(session_->decoder().vocabulary());
  const auto count = static_cast<size_t>(session_->decoder().max_tokens()) + 5;
  std::vector<decode::Sequence> sequences;
  std::vector<decode::StepRow> rows;
  for (size_t i = 0; i < count; ++i) {
    sequences.push_back(window.begin());
    for (const int32_t token : tokens) {
      rows.push_back(
          {.sequence = sequences[i].id(), .token = token, .wants_logits = token == tokens.back()});
    }
  }
  std::vector<float> logits(count * v);
  session_->decoder().forward(
      rows, matrix(logits.data(), static_cast<int64_t>(count), session_->decoder().vocabulary()));
  for (size_t i = 0; i < count; ++i) {
    ASSERT_EQ(std::memcmp(logits.data() + i * v, alone.data() + 2 * v, v * sizeof(float)), 0) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    EveryIsa, TinyWhisper,
    ::testing::Combine(::testing::ValuesIn(supported_isas()),
                       ::testing::Values(Case{Precision::kF32, true, 1e-3},
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

class WhisperBaseGolden : public ::testing::Test {
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

  Session session(**model, pool, /*baseline=*/true);
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

  const EncodedWindow window = session.encode(config.mel_frames());
  EXPECT_LT(
      relative_error(flat(session.encoder().output()), golden_floats(*golden, "encoder_last")),
      1e-3);

  const std::vector<int32_t> expected = golden_tokens(*golden, "greedy");
  const std::vector<int32_t> prompt(expected.begin(), expected.begin() + 4);
  decode::Sequence sequence = window.begin();
  std::vector<decode::StepRow> rows;
  for (const int32_t token : prompt) {
    rows.push_back({.sequence = sequence.id(), .token = token, .wants_logits = false});
  }
  rows.back().wants_logits = true;
  std::vector<float> logits(static_cast<size_t>(config.vocabulary));
  const auto row = matrix(logits.data(), 1, config.vocabulary);
  session.decoder().forward(rows, row);
  EXPECT_LT(relative_error(logits, golden_floats(*golden, "first_logits")), 1e-3);

  decode::LogitRules rules;
  rules.push_back(std::make_unique<decode::SuppressRule>((*model)->generation.suppress,
                                                         (*model)->generation.suppress_begin));
  const auto search =
      decode::make_search(std::move(sequence), rules, {.end_token = expected.back()});
  for (;;) {
    search->choose(row);
    const auto next = search->advance();
    if (next.empty()) break;
    session.decoder().forward(next, row);
  }
  const decode::Hypothesis found = search->best();
  EXPECT_EQ(found.tokens, std::vector<int32_t>(expected.begin() + 4, expected.end() - 1));
  const std::vector<float> log_probs = golden_floats(*golden, "token_logprobs");
  for (size_t i = 0; i < found.log_probs.size(); ++i) {
    EXPECT_NEAR(found.log_probs[i], log_probs[i], 1e-3f) << i;
  }
}

TEST_F(WhisperBaseGolden, TwoStagesChooseTheTokensOfTheExactHead) {
  ThreadPool pool(2);
  auto model = load_model(whisper_base(), Precision::kInt8, pool);
  ASSERT_TRUE(model) << model.error().message();
  auto golden = io::read_weights(kGoldens / "whisper-base/jfk.safetensors");
  ASSERT_TRUE(golden) << golden.error().message();
  Session session(**model, pool, /*baseline=*/false);
  set_mel(session, **model, golden_floats(*golden, "mel"));
  const EncodedWindow window = session.encode((*model)->config.mel_frames());
  const std::vector<int32_t> tokens = golden_tokens(*golden, "greedy");
  const auto v = static_cast<size_t>((*model)->config.vocabulary);
  const std::vector<float> exact = testing::logits_of(window, tokens);

  const decode::Sequence sequence = window.begin();
  std::vector<float> logits(v);
  int64_t differing = 0;
  for (size_t t = 0; t < tokens.size(); ++t) {
    const std::span<const float> want = std::span(exact).subspan(t * v, v);
    const decode::StepRow row = {.sequence = sequence.id(), .token = tokens[t], .estimate = true};
    session.decoder().forward({&row, 1}, matrix(logits.data(), 1, std::ssize(logits)));
    sequence.refine(1, logits);
    const auto best = static_cast<size_t>(kernels::argmax(want.data(), std::ssize(want)));
    EXPECT_EQ(kernels::argmax(logits.data(), std::ssize(logits)), static_cast<int64_t>(best)) << t;
    EXPECT_EQ(logits[best], want[best]) << t;
    // Over 2000 tokens of a corpus the sum was off by 0.004 on average and 0.08 at most.
    EXPECT_NEAR(kernels::log_sum_exp(logits.data(), std::ssize(logits)),
                kernels::log_sum_exp(want.data(), std::ssize(want)), 0.1f)
        << t;
    for (size_t i = 0; i < v; ++i) differing += logits[i] != want[i] ? 1 : 0;
  }
  EXPECT_GT(differing, 0) << "the estimates are exact: nothing was tested";
}

}  // namespace
}  // namespace quintet::whisper

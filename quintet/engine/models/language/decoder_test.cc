// The forward pass against the golden tensors of the reference implementation, and against itself.
#include "quintet/engine/models/language/decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "quintet/engine/models/language/model.h"
#include "quintet/engine/models/language/test_model.h"
#include "quintet/io/formats/weight_file.h"
#include "quintet/kernels/softmax/softmax.h"

namespace quintet::language {
namespace {

class GoldenDecoder : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    goldens_ = io::read_weights(tiny_model(GetParam()) / "golden.safetensors").value();
    input_ = tokens_of(*goldens_.find("input_ids"));
    greedy_ = tokens_of(*goldens_.find("greedy"));
  }

  std::unique_ptr<Model> load(Precision precision) {
    auto model = load_model(tiny_model(GetParam()), precision, pool_);
    EXPECT_TRUE(model) << (model ? "" : model.error().message());
    return *std::move(model);
  }

  std::span<const int32_t> input_row(int64_t row) const {
    const auto length = static_cast<size_t>(goldens_.find("input_ids")->shape[1]);
    return std::span(input_).subspan(static_cast<size_t>(row) * length, length);
  }
  std::span<const int32_t> prompt() const { return input_row(0); }

  // 24 greedy tokens behind the prompt, which is read in chunks.
  std::vector<int32_t> generate(const Model& model, Session& session, size_t chunk) const {
    Decoder& decoder = session.decoder();
    int64_t kept = 0;
    const decode::Sequence sequence = decoder.begin(prompt(), kept);
    EXPECT_TRUE(decoder.reserve(sequence.id(), std::ssize(greedy_)));
    std::vector<float> logits(static_cast<size_t>(model.config.vocabulary));
    const auto out = matrix(logits.data(), 1, model.config.vocabulary);
    std::vector<int32_t> tokens(prompt().begin(), prompt().end());
    std::span<const int32_t> left = prompt().subspan(static_cast<size_t>(kept));
    while (tokens.size() < greedy_.size()) {
      auto rows = rows_of(sequence.id(), left.first(std::min(chunk, left.size())));
      left = left.subspan(rows.size());
      for (auto& row : rows) row.wants_logits = false;
      rows.back().wants_logits = true;
      decoder.forward(rows, out);
      if (!left.empty()) continue;
      tokens.push_back(static_cast<int32_t>(kernels::argmax(logits.data(), std::ssize(logits))));
      left = std::span(tokens).last(1);
    }
    return tokens;
  }

  ThreadPool pool_{2};
  io::WeightFile goldens_;
  std::vector<int32_t> input_;
  std::vector<int32_t> greedy_;
};

INSTANTIATE_TEST_SUITE_P(Families, GoldenDecoder, testing::ValuesIn(kTinyModels),
                         name_of_tiny_model);

TEST_P(GoldenDecoder, StatesAndLogitsAreThoseOfTheReference) {
  const auto model = load(Precision::kF32);
  for (const bool baseline : {false, true}) {
    Session session(*model, pool_, {.baseline = baseline, .reuse_prefixes = false});
    std::vector<decode::StepRow> rows;
    std::vector<decode::Sequence> sequences;
    for (int64_t i = 0; i < 2; ++i) {
      sequences.push_back(session.decoder().begin());
      ASSERT_TRUE(session.decoder().reserve(sequences.back().id(), std::ssize(input_)));
      const auto more = rows_of(sequences.back().id(), input_row(i));
      rows.insert(rows.end(), more.begin(), more.end());
    }
    session.decoder().observe([&](int64_t layer, MatrixView<const float> states) {
      if (layer == model->config.layers) return;  // The golden one is normed.
      const auto golden = io::to_f32(*goldens_.find("hidden_" + std::to_string(layer))).value();
      const std::span<const float> all(states.data, golden.size());
      EXPECT_LT(relative_error(all, golden), 1e-4) << layer;
    });
    std::vector<float> logits(rows.size() * static_cast<size_t>(model->config.vocabulary));
    session.decoder().forward(rows,
                              matrix(logits.data(), std::ssize(rows), model->config.vocabulary));
    EXPECT_LT(relative_error(logits, io::to_f32(*goldens_.find("logits")).value()), 1e-4);
  }
}

TEST_P(GoldenDecoder, GeneratesTheTokensOfTheReference) {
  const auto model = load(Precision::kF32);
  Session session(*model, pool_);
  EXPECT_EQ(generate(*model, session, 64), greedy_);
}

TEST_P(GoldenDecoder, GeneratesTheSameInChunksAndAfterAKeptPrefix) {
  for (const Precision precision :
       {Precision::kF32, Precision::kBF16, Precision::kInt8, Precision::kInt4}) {
    const auto model = load(precision);
    Session session(*model, pool_);
    const auto expected = generate(*model, session, 64);
    EXPECT_EQ(generate(*model, session, 1), expected) << precision_name(precision);
    EXPECT_EQ(generate(*model, session, 7), expected) << precision_name(precision);
  }
}

// The logits behind the last of `tokens`, which go through the model `chunk` at a time.
std::vector<float> last_logits(const Model& model, ThreadPool& pool,
                               std::span<const int32_t> tokens, size_t chunk) {
  Session session(model, pool, {.reuse_prefixes = false});
  Decoder& decoder = session.decoder();
  const decode::Sequence sequence = decoder.begin();
  EXPECT_TRUE(decoder.reserve(sequence.id(), std::ssize(tokens)));
  std::vector<float> logits(static_cast<size_t>(model.config.vocabulary));
  while (!tokens.empty()) {
    auto rows = rows_of(sequence.id(), tokens.first(std::min(chunk, tokens.size())));
    tokens = tokens.subspan(rows.size());
    for (auto& row : rows) row.wants_logits = false;
    rows.back().wants_logits = true;
    decoder.forward(rows, matrix(logits.data(), 1, model.config.vocabulary));
  }
  return logits;
}

TEST(SlidingDecoder, SeesItsWindowAloneBehindManyBlocksOfKeys) {
  ThreadPool pool(2);
  auto model = load_model(tiny_model("mistral"), Precision::kF32, pool);
  ASSERT_TRUE(model) << model.error().message();
  (*model)->config.max_positions = 2048;
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < 700; ++i) tokens.push_back(i * i % 509);
  const auto logits = last_logits(**model, pool, tokens, 512);
  EXPECT_EQ(last_logits(**model, pool, tokens, 1), logits);
  EXPECT_EQ(last_logits(**model, pool, tokens, 100), logits);
  // Three layers of window 8 reach back 21 tokens, and only distances count.
  const auto seen = std::span<const int32_t>(tokens).last(64);
  EXPECT_LT(relative_error(last_logits(**model, pool, seen, 64), logits), 1e-4);
}

}  // namespace
}  // namespace quintet::language

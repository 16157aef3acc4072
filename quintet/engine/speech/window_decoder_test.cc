#include "quintet/engine/speech/window_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "quintet/engine/speech/small_model.h"

namespace quintet::speech {
namespace {

using ::testing::ElementsAre;

// The random model, with what it wants to say put in its place.
class ScriptedWindow : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.write_tokenizer(300);
    model_ = whisper::load_model(folder_.path(), Precision::kF32, pool_).value();
    vocabulary_ = Vocabulary::from(*model_->tokenizer, model_->generation).value();
    session_ = std::make_unique<whisper::Session>(*model_, pool_, /*baseline=*/false);
  }

  int32_t at(double seconds) const {
    return vocabulary_.first_timestamp +
           static_cast<int32_t>(seconds / kTimestampStepSeconds + 0.5);
  }

  // Each step wants the next token of `script`, and 'x' where the rules forbid that.
  std::vector<int32_t> decode(const std::vector<int32_t>& script, double speech_seconds,
                              bool timestamps = true) {
    WindowRequest request;
    request.language = vocabulary_.languages[0];
    request.timestamps = timestamps;
    request.speech_seconds = speech_seconds;
    request.temperatures = {0};
    WindowDecoder decoder(session_->encode(model_->config.mel_frames()), *model_, vocabulary_,
                          request, options_);
    for (size_t step = 0; !decoder.rows().empty() && step < script.size(); ++step) {
      const auto wanted = std::count_if(decoder.rows().begin(), decoder.rows().end(),
                                        [](const auto& row) { return row.wants_logits; });
      std::vector<float> values(static_cast<size_t>(wanted * model_->config.vocabulary));
      const auto logits = matrix(values.data(), wanted, model_->config.vocabulary);
      session_->decoder().forward(decoder.rows(), logits);
      std::fill(values.begin(), values.end(), 0.0F);
      logits.row(wanted - 1)[script[step]] = 20;
      logits.row(wanted - 1)[int{'x'}] = 15;
      decoder.take(logits);
      decoder.advance();
    }
    EXPECT_TRUE(decoder.rows().empty()) << "the script has ended, the text has not";
    return decoder.result().tokens;
  }

  testing::SmallModelFolder folder_;
  ThreadPool pool_{1};
  TranscribeOptions options_;
  std::unique_ptr<whisper::Model> model_;
  Vocabulary vocabulary_;
  std::unique_ptr<whisper::Session> session_;
};

TEST_F(ScriptedWindow, TextEndsWhereTheModelEndsIt) {
  const std::vector<int32_t> script = {at(0), 'a', at(1), at(1), vocabulary_.end_of_text};
  EXPECT_THAT(decode(script, 0), ElementsAre(at(0), 'a', at(1), at(1)));
}

TEST_F(ScriptedWindow, TextWithTimestampsGoesOnUntilTheSpeechEnds) {
  const int32_t end = vocabulary_.end_of_text;
  const std::vector<int32_t> early = {at(0), 'a', at(1), at(1), end, end};
  EXPECT_THAT(decode(early, 2.5), ElementsAre(at(0), 'a', at(1), at(1), 'x'));
  const std::vector<int32_t> late = {at(0), 'a', at(2.6), at(2.6), end};
  EXPECT_THAT(decode(late, 2.5), ElementsAre(at(0), 'a', at(2.6), at(2.6)));
  const std::vector<int32_t> nothing = {at(0), end};
  EXPECT_THAT(decode(nothing, 2.5), ElementsAre(at(0)));
  const std::vector<int32_t> text = {'a', end};
  EXPECT_THAT(decode(text, 2.5, /*timestamps=*/false), ElementsAre('a'));
}

TEST(CompressionRatio, TellsLoopsFromSpeech) {
  const std::string speech =
      "And so, my fellow Americans: ask not what your country can do for you, ask what you can do "
      "for your country. My fellow citizens of the world, ask not what America will do for you, "
      "but what together we can do for the freedom of man.";
  std::string loop;
  for (int i = 0; i < 30; ++i) loop += " thank you very much";
  const float limit = TranscribeOptions{}.max_compression_ratio;
  EXPECT_GT(compression_ratio(speech), 1.2f);
  EXPECT_LT(compression_ratio(speech), limit);
  EXPECT_GT(compression_ratio(loop), limit);
}

TEST(CompressionRatio, EqualsZlibOfTheReference) {
  // Python: len(t) / len(zlib.compress(t)) for t = b"a" * 1000.
  EXPECT_NEAR(compression_ratio(std::string(1000, 'a')), 1000.0 / 17, 1e-4);
}

TEST(CompressionRatio, OfNothingAndOfLittleIsSmall) {
  EXPECT_EQ(compression_ratio(""), 0);
  EXPECT_GT(compression_ratio("a"), 0);
  EXPECT_LT(compression_ratio("a"), 1);
}

TEST(DecodedWindow, IsSilentOnlyWhereBothSignsSaySo) {
  const TranscribeOptions options;
  DecodedWindow window;
  window.no_speech_probability = 0.9f;
  window.average_log_prob = -1.5f;
  EXPECT_TRUE(window.silent(options));
  window.average_log_prob = -0.5f;
  EXPECT_FALSE(window.silent(options));
  window.average_log_prob = -1.5f;
  window.no_speech_probability = 0.3f;
  EXPECT_FALSE(window.silent(options));
}

}  // namespace
}  // namespace quintet::speech

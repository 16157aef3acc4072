#include "quintet/engine/speech/window_decoder.h"

#include <gtest/gtest.h>

#include <string>

namespace quintet::speech {
namespace {

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

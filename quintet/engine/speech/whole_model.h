// whisper-base and real recordings, for the tests in this folder.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "quintet/core/env.h"
#include "quintet/engine/speech/speech_model.h"
#include "quintet/io/media/audio.h"

namespace quintet::speech::testing {

inline const std::filesystem::path kSpeech =
    std::filesystem::path(QUINTET_SOURCE_DIR) / "tests/data/speech";
inline std::filesystem::path model_folder(const char* name = "whisper-base") {
  return std::filesystem::path(env("QUINTET_TEST_MODELS").value_or(QUINTET_SOURCE_DIR "/models")) /
         name;
}

inline std::vector<float> samples_of(const char* name) {
  return io::read_audio(kSpeech / name).value();
}

inline std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text + " ") {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      word += static_cast<char>(std::tolower(c));
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  return words;
}

// Length of the longest sequence of words that both have in this order.
inline size_t common_subsequence(const std::vector<std::string>& a,
                                 const std::vector<std::string>& b) {
  std::vector<size_t> row(b.size() + 1, 0);
  for (const std::string& word : a) {
    size_t diagonal = 0;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = word == b[j - 1] ? diagonal + 1 : std::max(row[j], row[j - 1]);
      diagonal = above;
    }
  }
  return row.back();
}

// The names say WholeModel: sanitizer builds leave these tests out by default.
class SpeechWholeModel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::filesystem::exists(model_folder())) return;
    // Whoever names a folder of models means the tests to run.
    if (env("QUINTET_TEST_MODELS")) FAIL() << model_folder() << " is not there";
    GTEST_SKIP() << model_folder() << " is not there and QUINTET_TEST_MODELS is not set";
  }

  static SpeechModel load(const LoadOptions& options = {}) {
    return SpeechModel::load_file(model_folder(), options).value();
  }
};

}  // namespace quintet::speech::testing

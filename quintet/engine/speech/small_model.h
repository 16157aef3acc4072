// A complete speech model of a few hundred kilobytes with random weights, for the tests in this
// folder.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "quintet/core/file.h"
#include "quintet/engine/speech/test_tokenizer.h"
#include "quintet/io/formats/test_files.h"

namespace quintet::speech::testing {

// The random model of 512 tokens with a tokenizer of bytes and special tokens, in a folder of its
// own. Its windows are 3 s long, its texts up to 64 tokens.
class SmallModelFolder {
 public:
  SmallModelFolder() {
    namespace fs = std::filesystem;
    const fs::path source = fs::path(QUINTET_SOURCE_DIR) / "tests/goldens/tiny-whisper";
    for (const char* name : {"model.safetensors", "config.json"}) {
      fs::copy_file(source / name, folder_ / name);
    }
    const nlohmann::json generation = {{"is_multilingual", true}};
    EXPECT_TRUE(write_file_atomically(folder_ / "generation_config.json", generation.dump()));
  }

  // Special tokens from `first` on.
  void write_tokenizer(int32_t first) const {
    nlohmann::json vocabulary;
    for (int byte = 0; byte < 256; ++byte) {
      vocabulary[io::bytes_to_alphabet(std::string(1, static_cast<char>(byte)))] = byte;
    }
    nlohmann::json added = nlohmann::json::array();
    for (const auto& [content, id] : special_tokens(first, {"en", "de"})) {
      added.push_back({{"id", id}, {"content", content}, {"special", true}});
    }
    const nlohmann::json tokenizer = {
        {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", nlohmann::json::array()}}},
        {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
        {"added_tokens", added}};
    EXPECT_TRUE(write_file_atomically(folder_ / "tokenizer.json", tokenizer.dump()));
  }

  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  io::testing::TemporaryFolder folder_;
};

// Something to hear, 16 kHz, other for another `seed`.
inline std::vector<float> audible_samples(double seconds, size_t seed) {
  std::vector<float> samples(static_cast<size_t>(16000 * seconds));
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i] = static_cast<float>(i * (i + seed) % 1009) / 2000 - 0.25f;
  }
  return samples;
}

}  // namespace quintet::speech::testing

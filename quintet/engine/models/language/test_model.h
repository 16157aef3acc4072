// The tiny models of tests/goldens, one for each family of decoder and some variations.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "quintet/core/thread_pool.h"
#include "quintet/engine/models/language/model.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::language {

// tests/goldens/tiny-<name>: a new family is a folder there and a name here.
inline constexpr const char* kTinyModels[] = {
    "llama", "llama-bias", "llama3-rope", "mistral", "qwen2", "qwen3", "gemma3-text", "phi3",
};

inline std::filesystem::path tiny_model(const std::string& name) {
  return std::filesystem::path(QUINTET_SOURCE_DIR) / "tests/goldens" / ("tiny-" + name);
}

inline std::string name_of_tiny_model(const testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  std::erase(name, '-');
  return name;
}

inline std::vector<int32_t> tokens_of(const TensorRef& tensor) {
  const std::vector<float> values = io::to_f32(tensor).value();
  return {values.begin(), values.end()};
}

inline std::vector<decode::StepRow> rows_of(int32_t sequence, std::span<const int32_t> tokens) {
  std::vector<decode::StepRow> rows;
  for (const int32_t token : tokens) rows.push_back({.sequence = sequence, .token = token});
  return rows;
}

// The largest difference, as a share of the largest expected value.
inline double relative_error(std::span<const float> found, std::span<const float> expected) {
  double largest = 0;
  double error = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto value = static_cast<double>(expected[i]);
    largest = std::max(largest, std::abs(value));
    error = std::max(error, std::abs(static_cast<double>(found[i]) - value));
  }
  return error / largest;
}

// The logits behind each of 20 tokens: longer than the tiny sliding windows.
inline std::vector<float> logits_of(const Model& model, ThreadPool& pool) {
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < 20; ++i) {
    tokens.push_back(i * 37 % static_cast<int32_t>(model.config.vocabulary));
  }
  Session session(model, pool);
  const decode::Sequence sequence = session.decoder().begin();
  EXPECT_TRUE(session.decoder().reserve(sequence.id(), std::ssize(tokens)));
  const auto rows = rows_of(sequence.id(), tokens);
  std::vector<float> logits(rows.size() * static_cast<size_t>(model.config.vocabulary));
  session.decoder().forward(rows, matrix(logits.data(), std::ssize(rows), model.config.vocabulary));
  return logits;
}

}  // namespace quintet::language

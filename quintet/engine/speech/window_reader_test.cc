#include "quintet/engine/speech/window_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <numeric>

namespace quintet::speech {
namespace {

using testing::HasSubstr;

constexpr int64_t kReadAhead = 16000;  // At most this much is read beyond a window.

std::filesystem::path jfk() {
  return std::filesystem::path(QUINTET_SOURCE_DIR) / "tests/data/speech/jfk.wav";
}

// 0, 1, 2 ...: every sample says where it stands.
std::vector<float> counted(int64_t count) {
  std::vector<float> samples(static_cast<size_t>(count));
  std::iota(samples.begin(), samples.end(), 0.0f);
  return samples;
}

void expect_window(WindowReader& reader, int64_t start, int64_t count, int64_t expected) {
  const auto window = reader.window(start, count);
  ASSERT_TRUE(window) << window.error().message();
  ASSERT_EQ(static_cast<int64_t>(window->size()), expected);
  for (int64_t i = 0; i < expected; ++i) {
    ASSERT_EQ((*window)[static_cast<size_t>(i)], static_cast<float>(start + i)) << start;
  }
}

TEST(WindowReader, GivesTheSamplesAskedForWhereverTheWindowGoes) {
  const std::vector<float> samples = counted(100000);
  WindowReader reader(samples);
  expect_window(reader, 0, 40000, 40000);
  expect_window(reader, 0, 40001, 40001);
  expect_window(reader, 1, 10, 10);
  expect_window(reader, 30000, 40000, 40000);
  expect_window(reader, 90000, 40000, 10000);
  expect_window(reader, 99999, 40000, 1);
  expect_window(reader, 100000, 40000, 0);
  expect_window(reader, 500000, 40000, 0);
  EXPECT_EQ(reader.samples_seen(), 100000);
}

TEST(WindowReader, SkipsForwardOverMoreThanItHasRead) {
  const std::vector<float> samples = counted(200000);
  WindowReader reader(samples);
  expect_window(reader, 0, 10, 10);
  expect_window(reader, 150003, 1000, 1000);
  expect_window(reader, 199990, 1000, 10);
}

TEST(WindowReader, HasNoSamplesWhereThereAreNone) {
  WindowReader reader(std::span<const float>{});
  expect_window(reader, 0, 480001, 0);
  EXPECT_EQ(reader.samples_seen(), 0);
}

TEST(WindowReader, WindowsOfAFileEqualThoseOfItsSamples) {
  auto file = io::AudioReader::open(jfk());
  const auto samples = io::read_audio(jfk());
  ASSERT_TRUE(file && samples);
  WindowReader from_file(*file);
  WindowReader from_memory(*samples);
  for (const int64_t start : {0, 0, 7, 15999, 16000, 60001, 170000, 400000}) {
    const auto a = from_file.window(start, 48001);
    const auto b = from_memory.window(start, 48001);
    ASSERT_TRUE(a && b);
    EXPECT_TRUE(std::equal(a->begin(), a->end(), b->begin(), b->end())) << start;
  }
  EXPECT_EQ(from_file.samples_seen(), static_cast<int64_t>(samples->size()));
  EXPECT_EQ(from_memory.samples_seen(), static_cast<int64_t>(samples->size()));
}

TEST(WindowReader, KeepsNoMoreThanItsWindow) {
  const std::vector<float> samples = counted(2'000'000);
  WindowReader reader(samples);
  const float* place = nullptr;
  int moves = 0;
  for (int64_t start = 0; start + 50000 < 2'000'000; start += 33333) {
    const auto window = reader.window(start, 50000);
    ASSERT_TRUE(window);
    EXPECT_LE(reader.samples_seen() - start, 50000 + kReadAhead);
    moves += window->data() == place ? 0 : 1;
    place = window->data();
  }
  // Of 59 windows. A buffer that kept what lies behind would begin elsewhere for each.
  EXPECT_LE(moves, 10);
}

TEST(WindowReader, RefusesSamplesThatAreNoNumbers) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    std::vector<float> samples = counted(50000);
    samples[40123] = bad;
    WindowReader reader(samples);
    EXPECT_TRUE(reader.window(0, 16000));
    const auto window = reader.window(0, 50000);
    ASSERT_FALSE(window);
    EXPECT_EQ(window.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(window.error().message(), HasSubstr("sample 40123"));
  }
}

}  // namespace
}  // namespace quintet::speech

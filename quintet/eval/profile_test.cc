#include "quintet/eval/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace quintet::eval {
namespace {

using ::testing::ElementsAre;
using trace::Span;

constexpr int64_t kMillisecond = 1'000'000;

Span span(const char* name, int64_t index, int64_t parent, int64_t begin_ms, int64_t end_ms,
          trace::Work work = {}) {
  return {.name = name,
          .index = index,
          .parent = parent,
          .threads = 2,
          .begin_ns = begin_ms * kMillisecond,
          .end_ns = end_ms * kMillisecond,
          .work = work};
}

// One thread at half the rates of two.
kernels::Roofline roofline() {
  return {.threads = 2,
          .l2_bytes = 100,
          .l3_bytes = 1000,
          .one = {.f32 = 500, .bf16 = 1000, .i8 = 2000, .memory = 50, .l3 = 500, .l2 = 5000},
          .all = {.f32 = 1000, .bf16 = 2000, .i8 = 4000, .memory = 100, .l3 = 1000, .l2 = 10000}};
}

// A stage of 10 ms with two layers, and one that is an operator itself.
std::vector<Span> small_trace() {
  return {span("encode", -1, -1, 0, 10),
          span("layers", 0, 0, 0, 5),
          span("fc1", -1, 1, 1, 4, {.operations = 8, .arithmetic = DType::kI8}),
          span("layers", 1, 0, 5, 10),
          span("fc1", -1, 3, 5, 7, {.operations = 4, .arithmetic = DType::kI8}),
          span("preprocess/read", -1, -1, 11, 12)};
}

std::vector<std::string> names(const std::vector<ProfileRow>& rows) {
  std::vector<std::string> all;
  for (const ProfileRow& row : rows) all.push_back(row.stage + " " + row.name);
  return all;
}

double sum_ms(const std::vector<ProfileRow>& rows) {
  double sum = 0;
  for (const ProfileRow& row : rows) sum += row.ms;
  return sum;
}

TEST(Profile, AddsUpLayersByOperatorAndLeavesNoTimeOut) {
  const Profile profile = profile_of(small_trace(), 13, roofline(), {});
  EXPECT_THAT(names(profile.rows), ElementsAre("encode layers/fc1", "encode (not traced)",
                                               "preprocess read", "(outside) (not traced)"));
  EXPECT_EQ(profile.rows[0].calls, 2);
  EXPECT_DOUBLE_EQ(profile.rows[0].ms, 5);
  EXPECT_DOUBLE_EQ(profile.rows[0].work.operations, 12);
  EXPECT_DOUBLE_EQ(profile.rows[1].ms, 5);
  EXPECT_DOUBLE_EQ(profile.rows[2].ms, 1);
  EXPECT_DOUBLE_EQ(profile.rows[3].ms, 2);
  EXPECT_DOUBLE_EQ(sum_ms(profile.rows), profile.total_ms);
}

TEST(Profile, ShowsEachLayerWhereAskedFor) {
  const Profile profile = profile_of(small_trace(), 13, roofline(), {.each_layer = true});
  EXPECT_THAT(names(profile.rows),
              ElementsAre("encode layers.0/fc1", "encode layers.1/fc1", "encode (not traced)",
                          "preprocess read", "(outside) (not traced)"));
  EXPECT_DOUBLE_EQ(sum_ms(profile.rows), profile.total_ms);
}

TEST(Profile, StagesAddUpTheirRows) {
  const auto stages = profile_of(small_trace(), 13, roofline(), {}).stages();
  EXPECT_THAT(names(stages), ElementsAre("encode ", "preprocess ", "(outside) "));
  EXPECT_DOUBLE_EQ(stages[0].ms, 10);
  EXPECT_DOUBLE_EQ(stages[0].bound_ms, 3);
  EXPECT_STREQ(stages[0].limit(), "int8 peak");
}

TEST(Profile, TheSlowerOfOperationsAndBytesIsTheBound) {
  // 8 int8 operations at 4000 a second: 2 ms. 300 bytes of weights from memory at 100 bytes a
  // second: 3 s; of activations, which fit L2 but for one byte, from L3.
  const std::vector<Span> spans = {
      span("a", -1, -1, 0, 4, {.operations = 8, .arithmetic = DType::kI8}),
      span("b", -1, -1, 4, 8, {.operations = 8, .weight_bytes = 300, .arithmetic = DType::kI8}),
      span("c", -1, -1, 8, 12, {.activation_bytes = 201}),
      span("d", -1, -1, 12, 16, {.activation_bytes = 200}),
      span("e", -1, -1, 16, 20, {.operations = 8, .arithmetic = DType::kBF16}),
      span("f", -1, -1, 20, 24, {.operations = 8})};
  const auto rows = profile_of(spans, 24, roofline(), {.weight_footprint_bytes = 5000}).rows;
  EXPECT_DOUBLE_EQ(rows[0].bound_ms, 2);
  EXPECT_DOUBLE_EQ(rows[0].share_of_bound(), 0.5);
  EXPECT_STREQ(rows[0].limit(), "int8 peak");
  EXPECT_DOUBLE_EQ(rows[1].bound_ms, 3000);
  EXPECT_STREQ(rows[1].limit(), "bandwidth");
  EXPECT_DOUBLE_EQ(rows[2].bound_ms, 201);
  EXPECT_DOUBLE_EQ(rows[3].bound_ms, 20);
  EXPECT_DOUBLE_EQ(rows[4].bound_ms, 4);
  EXPECT_STREQ(rows[4].limit(), "bf16 peak");
  EXPECT_DOUBLE_EQ(rows[5].bound_ms, 8);
  EXPECT_STREQ(rows[5].limit(), "fp32 peak");
  EXPECT_STREQ(rows[6].limit(), "");
}

TEST(Profile, AModelThatFitsACacheReadsItsWeightsThere) {
  const std::vector<Span> spans = {span("a", -1, -1, 0, 4, {.weight_bytes = 50})};
  EXPECT_DOUBLE_EQ(
      profile_of(spans, 4, roofline(), {.weight_footprint_bytes = 1001}).rows[0].bound_ms, 500);
  EXPECT_DOUBLE_EQ(
      profile_of(spans, 4, roofline(), {.weight_footprint_bytes = 1000}).rows[0].bound_ms, 50);
  EXPECT_DOUBLE_EQ(
      profile_of(spans, 4, roofline(), {.weight_footprint_bytes = 200}).rows[0].bound_ms, 5);
}

TEST(Profile, OneThreadStandsAgainstTheRatesOfOne) {
  std::vector<Span> spans = {span("a", -1, -1, 0, 4, {.operations = 1})};
  spans[0].threads = 1;
  EXPECT_DOUBLE_EQ(profile_of(spans, 4, roofline(), {}).rows[0].bound_ms, 2);
}

TEST(Profile, LanesStandForTheirPartOfTheTime) {
  // A block of 4 ms whose two threads are busy for 4 and 2 ms.
  std::vector<Span> spans = {span("block", -1, -1, 0, 4),
                             span("fc1", -1, 0, 0, 4, {.operations = 2}),
                             span("fc1", -1, 0, 0, 2, {.operations = 1})};
  spans[1].lanes = 2;
  spans[2].lanes = 2;
  const auto rows = profile_of(spans, 4, roofline(), {}).rows;
  EXPECT_THAT(names(rows),
              ElementsAre("block fc1", "block (threads waiting)", "(outside) (not traced)"));
  EXPECT_DOUBLE_EQ(rows[0].ms, 3);
  EXPECT_DOUBLE_EQ(rows[0].bound_ms, 3);
  EXPECT_DOUBLE_EQ(rows[1].ms, 1);
}

TEST(Profile, WithoutSpansEverythingIsOutside) {
  const Profile profile = profile_of({}, 7, roofline(), {});
  EXPECT_THAT(names(profile.rows), ElementsAre("(outside) (not traced)"));
  EXPECT_DOUBLE_EQ(profile.rows[0].ms, 7);
}

}  // namespace
}  // namespace quintet::eval

#include "quintet/core/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "quintet/core/thread_pool.h"

namespace quintet::trace {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> paths(const Recorder& recorder, bool indices = true) {
  std::vector<std::string> all;
  const auto spans = recorder.spans();
  for (size_t i = 0; i < spans.size(); ++i) {
    all.push_back(path_of(spans, static_cast<int64_t>(i), indices));
  }
  return all;
}

TEST(Trace, NestsScopesOfOneThread) {
  Recorder recorder(10);
  {
    const Scope stage(&recorder, "encode");
    for (int64_t i = 0; i < 2; ++i) {
      const Scope layer(&recorder, "layers", i);
      const Scope fc1(&recorder, "fc1", {.operations = 8}, 3);
    }
    const Scope norm(&recorder, "norm");
  }
  const Scope other(&recorder, "decode/embed");
  EXPECT_THAT(paths(recorder),
              ElementsAre("encode", "encode/layers.0", "encode/layers.0/fc1", "encode/layers.1",
                          "encode/layers.1/fc1", "encode/norm", "decode/embed"));
  EXPECT_EQ(paths(recorder, false)[4], "encode/layers/fc1");
  const Span& fc1 = recorder.spans()[2];
  EXPECT_EQ(fc1.work.operations, 8);
  EXPECT_EQ(fc1.threads, 3);
  EXPECT_EQ(fc1.lanes, 1);
}

TEST(Trace, ASpanLiesWithinItsParent) {
  Recorder recorder(10);
  {
    const Scope stage(&recorder, "encode");
    const Scope layer(&recorder, "layers", 0);
  }
  const auto spans = recorder.spans();
  EXPECT_LE(spans[0].begin_ns, spans[1].begin_ns);
  EXPECT_LE(spans[1].begin_ns, spans[1].end_ns);
  EXPECT_LE(spans[1].end_ns, spans[0].end_ns);
}

TEST(Trace, WithoutARecorderNothingHappens) {
  Scope scope(nullptr, "encode");
  const Scope lane(scope, "fc1", {});
  scope.close();
}

TEST(Trace, AClosedScopeHasNoChildren) {
  Recorder recorder(10);
  Scope first(&recorder, "preprocess");
  first.close();
  const int64_t end = recorder.spans()[0].end_ns;
  const Scope second(&recorder, "encode");
  first.close();
  EXPECT_THAT(paths(recorder), ElementsAre("preprocess", "encode"));
  EXPECT_EQ(recorder.spans()[0].end_ns, end);
}

TEST(Trace, CountsWhatDoesNotFit) {
  Recorder recorder(2);
  {
    const Scope stage(&recorder, "encode");
    for (int64_t i = 0; i < 4; ++i) {
      const Scope layer(&recorder, "layers", i);
      const Scope fc1(&recorder, "fc1");
    }
  }
  EXPECT_THAT(paths(recorder), ElementsAre("encode", "encode/layers.0"));
  EXPECT_EQ(recorder.dropped(), 7);
  recorder.clear();
  EXPECT_EQ(recorder.dropped(), 0);
  EXPECT_TRUE(recorder.spans().empty());
  { const Scope again(&recorder, "decode"); }
  EXPECT_THAT(paths(recorder), ElementsAre("decode"));
}

TEST(Trace, RecordersDoNotSeeEachOther) {
  Recorder outer(4);
  Recorder inner(4);
  const Scope stage(&outer, "encode");
  {
    const Scope other(&inner, "decode");
    const Scope deeper(&inner, "embed");
  }
  const Scope layer(&outer, "layers", 0);
  EXPECT_THAT(paths(outer), ElementsAre("encode", "encode/layers.0"));
  EXPECT_THAT(paths(inner), ElementsAre("decode", "decode/embed"));
}

TEST(Trace, ConcurrentLanesShareTheTimeOfTheirLoop) {
  constexpr int kThreads = 3;
  constexpr int64_t kItems = 200;
  Recorder recorder(1000);
  ThreadPool pool(kThreads);
  {
    const Scope stage(&recorder, "encode");
    const Scope block(&recorder, "rows", {}, pool.threads());
    pool.parallel_for(kItems, [&](int64_t) {
      const Scope lane(block, "fc1", {.operations = 2});
      const Scope deeper(&recorder, "quantize");
    });
  }
  const auto spans = recorder.spans();
  ASSERT_EQ(spans.size(), 2 + 2 * kItems);
  double lane_ms = 0;
  double operations = 0;
  for (size_t i = 2; i < spans.size(); ++i) {
    const Span& span = spans[i];
    const std::string path = path_of(spans, static_cast<int64_t>(i), true);
    EXPECT_EQ(span.lanes, kThreads);
    if (path == "encode/rows/fc1") {
      EXPECT_EQ(span.threads, 1);
      lane_ms += span.milliseconds();
      operations += span.work.operations;
    } else {
      EXPECT_EQ(path, "encode/rows/fc1/quantize");
    }
  }
  EXPECT_EQ(operations, 2.0 * kItems);
  EXPECT_LE(lane_ms, spans[1].milliseconds());
}

TEST(Trace, NamesOfOperatorsThatRunAsOneAreJoined) {
  Recorder recorder(4);
  {
    const Scope block(&recorder, "", {}, 2);
    const Scope lane(block, "");
    const Scope fused(&recorder, {"norm1", "qkv", "attention"}, 3);
    const Scope two(&recorder, {"norm2", "fc1"});
  }
  EXPECT_THAT(paths(recorder),
              ElementsAre("", "", "norm1+qkv+attention.3", "norm1+qkv+attention.3/norm2+fc1"));
}

TEST(Trace, TheWorkOfTwoIsThatOfBoth) {
  const Work both = Work{1, 2, 3, DType::kF32} + Work{10, 20, 30, DType::kI8};
  EXPECT_EQ(both.operations, 11);
  EXPECT_EQ(both.weight_bytes, 22);
  EXPECT_EQ(both.activation_bytes, 33);
  EXPECT_EQ(both.arithmetic, DType::kI8);
}

TEST(Trace, ConcurrentScopesWithoutRoomAreAllCounted) {
  Recorder recorder(10);
  ThreadPool pool(4);
  pool.parallel_for(1000, [&](int64_t i) { const Scope scope(&recorder, "item", i); });
  EXPECT_EQ(recorder.spans().size(), 10u);
  EXPECT_EQ(recorder.dropped(), 990);
  std::set<std::string> distinct;
  for (const std::string& path : paths(recorder)) distinct.insert(path);
  EXPECT_EQ(distinct.size(), 10u);
}

}  // namespace
}  // namespace quintet::trace

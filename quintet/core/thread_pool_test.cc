#include "quintet/core/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <thread>
#include <vector>

namespace quintet {
namespace {

TEST(ThreadPool, CallsEachItemOnceForAnyNumberOfThreadsAndItems) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const int64_t count : {0, 1, 2, 7, 8, 1000}) {
      std::vector<int> calls(static_cast<size_t>(count));
      pool.parallel_for(count, [&](int64_t i) { ++calls[static_cast<size_t>(i)]; });
      EXPECT_EQ(calls, std::vector<int>(static_cast<size_t>(count), 1)) << threads << " threads";
    }
  }
}

TEST(ThreadPool, ByDefaultTakesEveryUsableProcessor) {
  EXPECT_GE(usable_processors(), 1);
  EXPECT_EQ(ThreadPool().threads(), usable_processors());
}

TEST(ThreadPool, NoItemsCallNothing) {
  ThreadPool pool(2);
  pool.parallel_for(0, [](int64_t) { FAIL(); });
  pool.parallel_for(-3, [](int64_t) { FAIL(); });
}

// Loops follow each other as closely as they can: a worker that is late for one must neither take
// an item of the next nor run an item of its own loop again.
TEST(ThreadPool, ManyShortLoopsInARowAllComplete) {
  ThreadPool pool(4);
  std::vector<int64_t> values(16);
  for (int64_t loop = 0; loop < 20000; ++loop) {
    const int64_t count = 2 + loop % 15;
    pool.parallel_for(count, [&](int64_t i) { values[static_cast<size_t>(i)] = loop + i; });
    for (int64_t i = 0; i < count; ++i) ASSERT_EQ(values[static_cast<size_t>(i)], loop + i);
  }
}

TEST(ThreadPool, WorkersThatFellAsleepWakeForTheNextLoop) {
  ThreadPool pool(3);
  for (int loop = 0; loop < 5; ++loop) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::atomic<int64_t> sum{0};
    pool.parallel_for(100, [&](int64_t i) { sum += i; });
    EXPECT_EQ(sum.load(), 4950);
  }
}

TEST(ThreadPool, AllThreadsTakePartWhereItemsWaitForEachOther) {
  constexpr int kThreads = 4;
  ThreadPool pool(kThreads);
  std::atomic<int> arrived{0};
  std::atomic<bool> late{false};
  pool.parallel_for(kThreads, [&](int64_t) {
    ++arrived;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (arrived.load() < kThreads && !late.load()) {
      if (std::chrono::steady_clock::now() > deadline) late = true;
      std::this_thread::yield();
    }
  });
  EXPECT_FALSE(late.load());
}

TEST(ThreadPool, ConcurrentCallersAllGetTheirItemsDone) {
  ThreadPool pool(3);
  constexpr int kCallers = 4;
  std::vector<int64_t> sums(kCallers);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, caller] {
      for (int loop = 0; loop < 300; ++loop) {
        std::vector<int64_t> squares(50);
        pool.parallel_for(50, [&](int64_t i) { squares[static_cast<size_t>(i)] = i * i; });
        sums[static_cast<size_t>(caller)] +=
            std::accumulate(squares.begin(), squares.end(), int64_t{0});
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sums, std::vector<int64_t>(kCallers, int64_t{300} * 40425));
}

TEST(ThreadPool, LoopsInsideLoopsComplete) {
  ThreadPool pool(3);
  std::atomic<int64_t> calls{0};
  pool.parallel_for(6, [&](int64_t) { pool.parallel_for(7, [&](int64_t) { ++calls; }); });
  EXPECT_EQ(calls.load(), 42);
}

TEST(ThreadPool, TakesBodiesByReferenceAndAsConstants) {
  ThreadPool pool(2);
  std::atomic<int> calls{0};
  auto body = [&calls](int64_t) { ++calls; };
  const auto constant_body = [&calls](int64_t) { ++calls; };
  pool.parallel_for(3, body);
  pool.parallel_for(3, constant_body);
  EXPECT_EQ(calls.load(), 6);
}

TEST(ThreadPool, MayEndAtAnyTimeAfterALoop) {
  for (int i = 0; i < 200; ++i) {
    ThreadPool pool(4);
    std::atomic<int> calls{0};
    if (i % 2 == 0) pool.parallel_for(8, [&](int64_t) { ++calls; });
    EXPECT_EQ(calls.load(), i % 2 == 0 ? 8 : 0);
  }
}

}  // namespace
}  // namespace quintet

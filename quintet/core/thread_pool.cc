#include "quintet/core/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>
#include <system_error>

#include "quintet/core/check.h"

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace quintet {
namespace {

// A worker spins for about this many pauses (some 50 us) before it sleeps: the loops of one decoder
// step follow each other within a few microseconds, and a wake-up costs about 50.
constexpr int kSpins = 2000;

void pause_briefly() {
#if defined(__SSE__)
  _mm_pause();
#endif
}

// The quota of cgroup v2 (cpu.max: "max 100000" or "200000 100000") or v1; 0 where there is none.
int cgroup_processors() {
  double quota = 0;
  double period = 0;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2) {
    std::string first;
    v2 >> first >> period;
    if (first == "max") return 0;
    try {
      quota = std::stod(first);
    } catch (const std::exception&) {
      return 0;
    }
  } else {
    std::ifstream quota_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    std::ifstream period_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    quota_file >> quota;
    period_file >> period;
  }
  if (!(quota > 0) || !(period > 0)) return 0;
  return static_cast<int>(std::min(4096.0, (quota + period - 1) / period));
}

}  // namespace

int usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int processors = sched_getaffinity(0, sizeof(set), &set) == 0
                       ? CPU_COUNT(&set)
                       : static_cast<int>(std::thread::hardware_concurrency());
  if (const int quota = cgroup_processors(); quota > 0) processors = std::min(processors, quota);
  return std::max(1, processors);
}

ThreadPool::ThreadPool(int threads) {
  if (threads <= 0) threads = usable_processors();
  workers_.reserve(static_cast<size_t>(threads - 1));
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    // The system gives no more threads or memory for them: those there are do the work.
  }
}

ThreadPool::~ThreadPool() {
  stopping_.store(true);
  wake_.fetch_add(1);
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t count, Function function, void* context) {
  if (count <= 0) return;
  QT_CHECK_LT(count, int64_t{std::numeric_limits<uint32_t>::max()});
  if (count == 1 || workers_.empty() || shared_.exchange(true, std::memory_order_acquire)) {
    for (int64_t i = 0; i < count; ++i) function(context, i);
    return;
  }
  function_ = function;
  context_ = context;
  count_ = static_cast<uint32_t>(count);
  done_.store(0, std::memory_order_relaxed);
  const auto generation = static_cast<uint32_t>(ticket_.load(std::memory_order_relaxed) >> 32) + 1;
  ticket_.store((uint64_t{generation} << 32) | count_, std::memory_order_release);
  wake_.fetch_add(1);
  if (sleepers_.load() > 0) wake_.notify_all();

  while (take_item(generation)) {
  }
  for (int spins = 0; done_.load(std::memory_order_acquire) != count_; ++spins) {
    // Past the spin limit a worker has lost its processor to somebody: let it have this one.
    if (spins < kSpins) {
      pause_briefly();
    } else {
      std::this_thread::yield();
    }
  }
  shared_.store(false, std::memory_order_release);
}

bool ThreadPool::take_item(uint32_t generation) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  for (;;) {
    const auto left = static_cast<uint32_t>(ticket);
    if (static_cast<uint32_t>(ticket >> 32) != generation || left == 0) return false;
    if (ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
      function_(context_, count_ - left);
      done_.fetch_add(1, std::memory_order_acq_rel);
      return true;
    }
  }
}

void ThreadPool::work() {
  int seen = 0;
  while (!stopping_.load(std::memory_order_relaxed)) {
    int now = wake_.load(std::memory_order_acquire);
    for (int spins = 0; now == seen && spins < kSpins; ++spins) {
      pause_briefly();
      now = wake_.load(std::memory_order_acquire);
    }
    if (now == seen) {
      sleepers_.fetch_add(1);
      wake_.wait(seen);
      sleepers_.fetch_sub(1);
      continue;
    }
    seen = now;
    const auto generation = static_cast<uint32_t>(ticket_.load(std::memory_order_acquire) >> 32);
    while (take_item(generation)) {
    }
  }
}

}  // namespace quintet

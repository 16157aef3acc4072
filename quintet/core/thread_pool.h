// A fixed set of threads that share the items of one loop at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace quintet {

// Processors that this process may use: the affinity mask, and the cgroup's CPU quota rounded up.
int usable_processors();

// Threads: parallel_for may be called from several threads at once. The first gets the workers; the
// others run their items themselves, so that concurrent callers share the machine without waiting;
// so does a loop inside a loop.
class ThreadPool {
 public:
  // `threads` counts the caller: 1 starts none. 0 means usable_processors(). There are fewer where
  // the system refuses to start more.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(i) once for each i in [0, count), in any order, and returns when all are done.
  // What the bodies wrote is visible to the caller. `body` must not throw.
  template <typename Body>
  void parallel_for(int64_t count, Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run(
        count, [](void* context, int64_t i) { (*static_cast<Plain*>(context))(i); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

  // The same with body(lane, i): items with equal lane never run at the same time, so that a lane
  // can own scratch memory. 0 <= lane < threads().
  template <typename Body>
  void parallel_for_lanes(int64_t count, Body&& body) {
    std::atomic<int64_t> next{0};
    parallel_for(count < threads() ? count : threads(), [&](int64_t lane) {
      for (int64_t i = next++; i < count; i = next++) body(lane, i);
    });
  }

 private:
  using Function = void (*)(void* context, int64_t index);

  void run(int64_t count, Function function, void* context);
  void work();
  bool take_item(uint32_t generation);

  std::vector<std::thread> workers_;
  // Set while the workers share some caller's loop. Not a mutex: a body may start a loop itself,
  // and trying a mutex that the same thread holds is undefined.
  std::atomic<bool> shared_{false};

  // The loop at hand. A worker may read these only after it has taken an item: from then until it
  // has counted the item as done, the caller cannot return and start the next loop.
  Function function_ = nullptr;
  void* context_ = nullptr;
  uint32_t count_ = 0;

  // Generation of the loop (upper half) and how many items nobody has taken (lower half), in one
  // word, so that a late worker cannot take an item of a loop that it has not seen begin.
  alignas(64) std::atomic<uint64_t> ticket_{0};
  alignas(64) std::atomic<uint32_t> done_{0};
  alignas(64) std::atomic<int> wake_{0};  // Changes with every loop; sleepers wait on it.
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace quintet

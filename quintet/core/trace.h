// What a computation spends its time on: spans with a name, a begin and an end, and the work that
// lay between them. Code that can be traced takes a Recorder pointer; null, the normal case, costs
// one comparison.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "quintet/core/dtype.h"

namespace quintet::trace {

// What an operator cannot do without, from the shapes alone.
struct Work {
  double operations = 0;           // Multiplications and additions: a multiply-add is two.
  double weight_bytes = 0;         // Weights and cached keys and values, each read once.
  double activation_bytes = 0;     // Inputs read and outputs written once.
  DType arithmetic = DType::kF32;  // What is multiplied: kF32, kBF16 or kI8.
};

// Of operators that run as one; the arithmetic is that with more operations.
Work operator+(const Work& a, const Work& b);

// Literals, or text that lives as long as the recorder. Several are operators that run as one.
struct Name {
  Name(const char* first, const char* second = nullptr, const char* third = nullptr)
      : parts{first, second, third} {}

  std::array<const char*, 3> parts;
};

// One scope. Its path is "<path of the parent>/<name>.<index>"; "fc1+gelu" where the name has
// several parts. Spans with an empty name do not show in paths.
struct Span {
  Name name = "";
  int64_t index = -1;   // Of a layer; -1: none.
  int64_t parent = -1;  // Among the recorder's spans; -1: a stage.
  int threads = 1;      // That worked on it.
  // 1, or how many threads run such spans side by side: the span stands for this part of its time.
  int lanes = 1;
  int64_t begin_ns = 0;  // Steady clock.
  int64_t end_ns = 0;
  Work work = {};

  double milliseconds() const { return static_cast<double>(end_ns - begin_ns) * 1e-6 / lanes; }
};

// Room for a fixed number of spans; what does not fit is counted and left out.
// Threads: scopes may be opened on several threads at once; everything else while none is open.
class Recorder {
 public:
  explicit Recorder(int64_t capacity) : spans_(static_cast<size_t>(capacity)) {}
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // In the order in which they began; a parent stands before its children.
  std::span<const Span> spans() const;
  int64_t dropped() const;
  void clear() { next_ = 0; }

 private:
  friend class Scope;
  int64_t add(const Span& span);  // Its index, or -1 where there is no room.

  std::vector<Span> spans_;
  std::atomic<int64_t> next_{0};
};

// "encode/layers.3/fc1"; without `indices` "encode/layers/fc1". `at` is an index into `spans`.
std::string path_of(std::span<const Span> spans, int64_t at, bool indices);

// Records the time from here to the end of the C++ scope, as a child of the scope that is open on
// the same thread. A name may hold several levels ("preprocess/mel").
class Scope {
 public:
  explicit Scope(Recorder* recorder, const Name& name, int64_t index = -1) {
    if (recorder != nullptr) open(*recorder, {.name = name, .index = index});
  }
  // An operator on `threads` threads.
  Scope(Recorder* recorder, const Name& name, const Work& work, int threads) {
    if (recorder != nullptr) open(*recorder, {.name = name, .threads = threads, .work = work});
  }
  // What one of the threads does in a loop that they share inside `parent`, which was opened with
  // their number. Opened on the thread that does the work.
  explicit Scope(const Scope& parent, const Name& name, const Work& work = {}) {
    if (parent.recorder_ != nullptr) open_lane(parent, {.name = name, .work = work});
  }
  ~Scope() { close(); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  // Ends it early.
  void close() {
    if (recorder_ != nullptr) finish();
  }

 private:
  void open(Recorder& recorder, Span span);
  void open_lane(const Scope& parent, Span span);
  void begin(Recorder& recorder, const Span& span);
  void finish();

  Recorder* recorder_ = nullptr;
  int64_t at_ = -1;
  // What was open on this thread before.
  const Recorder* outer_recorder_ = nullptr;
  int64_t outer_at_ = -1;
};

}  // namespace quintet::trace

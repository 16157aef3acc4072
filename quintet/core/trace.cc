#include "quintet/core/trace.h"

#include <algorithm>
#include <chrono>

namespace quintet::trace {
namespace {

int64_t now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

// The innermost scope that is open on this thread.
struct Open {
  const Recorder* recorder = nullptr;
  int64_t at = -1;
};
thread_local Open innermost;

}  // namespace

Work operator+(const Work& a, const Work& b) {
  return {.operations = a.operations + b.operations,
          .weight_bytes = a.weight_bytes + b.weight_bytes,
          .activation_bytes = a.activation_bytes + b.activation_bytes,
          .arithmetic = a.operations >= b.operations ? a.arithmetic : b.arithmetic};
}

std::span<const Span> Recorder::spans() const {
  return std::span(spans_).first(
      static_cast<size_t>(std::min(next_.load(), static_cast<int64_t>(spans_.size()))));
}

int64_t Recorder::dropped() const {
  return std::max(int64_t{0}, next_.load() - static_cast<int64_t>(spans_.size()));
}

int64_t Recorder::add(const Span& span) {
  const int64_t at = next_.fetch_add(1, std::memory_order_relaxed);
  if (at >= static_cast<int64_t>(spans_.size())) return -1;
  spans_[static_cast<size_t>(at)] = span;
  return at;
}

void Scope::open(Recorder& recorder, Span span) {
  if (innermost.recorder == &recorder && innermost.at >= 0) {
    span.parent = innermost.at;
    span.lanes = recorder.spans_[static_cast<size_t>(innermost.at)].lanes;
  }
  begin(recorder, span);
}

void Scope::open_lane(const Scope& parent, Span span) {
  if (parent.at_ >= 0) {
    const Span& above = parent.recorder_->spans_[static_cast<size_t>(parent.at_)];
    span.parent = parent.at_;
    span.lanes = above.lanes * above.threads;
  }
  begin(*parent.recorder_, span);
}

void Scope::begin(Recorder& recorder, const Span& span) {
  recorder_ = &recorder;
  at_ = recorder.add(span);
  outer_recorder_ = innermost.recorder;
  outer_at_ = innermost.at;
  // Children of a span that found no room count as children of its parent.
  innermost = {&recorder, at_ >= 0 ? at_ : span.parent};
  if (at_ >= 0) recorder.spans_[static_cast<size_t>(at_)].begin_ns = now_ns();
}

void Scope::finish() {
  if (at_ >= 0) recorder_->spans_[static_cast<size_t>(at_)].end_ns = now_ns();
  innermost = {outer_recorder_, outer_at_};
  recorder_ = nullptr;
}

std::string path_of(std::span<const Span> spans, int64_t at, bool indices) {
  const Span& span = spans[static_cast<size_t>(at)];
  std::string path = span.parent < 0 ? "" : path_of(spans, span.parent, indices);
  if (*span.name.parts[0] == '\0') return path;
  const char* separator = path.empty() ? "" : "/";
  for (const char* part : span.name.parts) {
    if (part == nullptr) break;
    path.append(separator).append(part);
    separator = "+";
  }
  if (indices && span.index >= 0) path.append(".").append(std::to_string(span.index));
  return path;
}

}  // namespace quintet::trace

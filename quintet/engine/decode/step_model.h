// What the search strategies need of a decoder: tokens in, logits out.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "quintet/core/tensor.h"

namespace quintet::decode {

// A token to run: it extends its sequence by one.
struct StepRow {
  int32_t sequence = 0;
  int32_t token = 0;
  bool wants_logits = true;
  // Estimates will do, which StepModel::refine makes exact where it matters.
  bool estimate = false;
};

// A decoder with a cache of the sequences that it is extending. Sequences grow independently of
// each other: a pass may take the prompt of one and single tokens of others.
class StepModel {
 public:
  virtual ~StepModel() = default;

  virtual int64_t vocabulary() const = 0;
  // Longest sequence, prompt included.
  virtual int64_t max_tokens() const = 0;

  // Runs all rows in one pass over the weights; those of one sequence extend it in their order.
  // What comes out for a sequence is the same, bit for bit, whatever the other rows are. Shapes:
  // logits [rows that want them, V], in the order of the rows.
  virtual void forward(std::span<const StepRow> rows, MatrixView<float> logits) = 0;

  // Makes exact those of `logits`, which the last pass gave as estimates for the last row of
  // `sequence`, that can be among the `count` largest. What rules have forbidden in the meantime
  // (-inf) stays so. The others remain estimates, near enough for the sum that makes probabilities
  // of them. May be asked again after more rules. Does nothing to logits that are exact anyway.
  // Threads: calls for different sequences may overlap.
  virtual void refine(int32_t sequence, int64_t count, std::span<float> logits) {
    static_cast<void>(sequence);
    static_cast<void>(count);
    static_cast<void>(logits);
  }

  // A new sequence that has read what `sequence` has.
  virtual int32_t fork(int32_t sequence) = 0;
  // Forgets a sequence; its number may come back.
  virtual void release(int32_t sequence) = 0;
};

// Owns a sequence of a model, which must outlive it.
class Sequence {
 public:
  Sequence() = default;
  Sequence(StepModel& model, int32_t id) : model_(&model), id_(id) {}
  Sequence(Sequence&& other) noexcept
      : model_(std::exchange(other.model_, nullptr)), id_(other.id_) {}
  Sequence& operator=(Sequence&& other) noexcept {
    if (this != &other) {
      release();
      model_ = std::exchange(other.model_, nullptr);
      id_ = other.id_;
    }
    return *this;
  }
  ~Sequence() { release(); }

  int32_t id() const { return id_; }
  Sequence fork() const { return {*model_, model_->fork(id_)}; }
  void refine(int64_t count, std::span<float> logits) const { model_->refine(id_, count, logits); }

 private:
  void release() {
    if (model_ != nullptr) model_->release(id_);
  }

  StepModel* model_ = nullptr;  // Null: owns nothing.
  int32_t id_ = 0;
};

}  // namespace quintet::decode

// Where a run's time went, by stage and operator, beside what the machine could have done: the
// spans of a trace against a measured roofline.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "quintet/core/trace.h"
#include "quintet/kernels/roofline/roofline.h"

namespace quintet::eval {

// What one operator did in all its calls together.
struct ProfileRow {
  std::string stage = {};  // "encode"; kOutside.
  std::string name = {};   // "layers/fc1", of one layer "layers.3/fc1"; kNotTraced, kWaiting.
  int64_t calls = 0;
  double ms = 0;
  trace::Work work = {};  // Summed; the arithmetic of the last call.
  double compute_ms = 0;  // The least that the operations take, at the peak of their type.
  double memory_ms = 0;   // The least that the bytes take.
  double bound_ms = 0;    // Of each call the larger of the two, summed: they can overlap.

  double bytes() const { return work.weight_bytes + work.activation_bytes; }
  // Of the bound, 1 where none is faster; 0 where nothing is known of the work. Above 1 where data
  // lay in a nearer cache than assumed.
  double share_of_bound() const { return ms > 0 ? bound_ms / ms : 0; }
  // What binds it: "int8 peak", "bf16 peak", "fp32 peak" or "bandwidth"; "" where nothing is known.
  const char* limit() const;

  // Adds the numbers of `other`.
  void add(const ProfileRow& other);
};

// Names of rows for time that no operator accounts for: in which some threads of a loop have
// nothing left to do (their part of it), within a stage, and outside all stages.
inline constexpr const char* kWaiting = "(threads waiting)";
inline constexpr const char* kNotTraced = "(not traced)";
inline constexpr const char* kOutside = "(outside)";

struct Profile {
  double total_ms = 0;
  std::vector<ProfileRow> rows =
      {};  // By stage, each in the order of its first call; their ms add up.

  // Rows of one stage added together, named "".
  std::vector<ProfileRow> stages() const;
};

struct ProfileOptions {
  // What the whole run reads again and again: where it exceeds the caches, weights come from
  // memory.
  double weight_footprint_bytes = 0;
  bool each_layer = false;  // "layers.0/fc1", "layers.1/fc1" ... instead of "layers/fc1".
};

// Sums up the spans of one run that took `total_ms`. A span without children is an operator, the
// time of others that their children do not cover is not traced.
//   Bound of a call = max(operations / peak of the type,
//                         weights / rate of their level + activations / rate of theirs)
// with the rates of as many threads as worked on it. The level of weights follows from the
// footprint of all of them, that of activations from those of the call.
Profile profile_of(std::span<const trace::Span> spans, double total_ms,
                   const kernels::Roofline& roofline, const ProfileOptions& options);

}  // namespace quintet::eval

// What a check of a compressed model's accuracy found, as packed files and the catalogue keep it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "quintet/core/result.h"

namespace quintet {

// In per cent, with the bounds of a 95 % confidence interval.
struct MeasuredRate {
  double value = 0;
  double low = 0;
  double high = 0;

  bool operator==(const MeasuredRate&) const = default;
};

struct AccuracyCheck {
  std::string data;  // Name of the data file.
  std::string date;  // "2026-11-24"
  int64_t items = 0;
  int64_t words = 0;             // Of the references.
  MeasuredRate original = {};    // Word error rate of float32.
  MeasuredRate compressed = {};  // And of the model that was checked.
  MeasuredRate difference = {};  // compressed - original, in points, on the same items.
  double agreement = 0;          // Per cent of the words that float32 gives that it gives too.
  double max_drop = 0;           // Largest difference that passes, in points.
  // Layers whose output at int8 is noisier than this are not int8; unset: noise decided nothing.
  std::optional<double> threshold_db = {};

  bool passed() const { return difference.value <= max_drop; }
  bool operator==(const AccuracyCheck&) const = default;
};

std::string accuracy_check_to_json(const AccuracyCheck& check);
// Errors: kCorrupt, naming the field.
Result<AccuracyCheck> accuracy_check_from_json(const std::string& text);

}  // namespace quintet

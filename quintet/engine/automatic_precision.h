// What the precision "auto" is for published weights.
#pragma once

#include <filesystem>
#include <optional>

#include "quintet/engine/accuracy_check.h"
#include "quintet/engine/precision.h"
#include "quintet/io/catalogue/catalogue.h"

namespace quintet {

struct AutomaticPrecision {
  Precision precision = Precision::kBF16;
  std::optional<AccuracyCheck> check = {};  // What it rests on; unset: on no measurement.
};

// The first precision whose stored check the weights in `folder` have passed, with the upper end of
// the interval too: it is to hold for everybody's recordings. The checks are those of the catalogue
// for files with these very contents (SHA-256). Other weights may lose more at int8 than anybody
// has measured: they stay bfloat16, whose rounding (2^-9 of each value) is below the noise of
// training.
AutomaticPrecision automatic_precision(const std::filesystem::path& folder,
                                       const io::Catalogue& catalogue = io::builtin_catalogue());

}  // namespace quintet

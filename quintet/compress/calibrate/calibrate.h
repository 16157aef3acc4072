// Which layers of a speech model may be int8, decided on recordings, and what that costs in words.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/engine/accuracy_check.h"
#include "quintet/engine/models/whisper/plan.h"
#include "quintet/engine/precision.h"

namespace quintet::compress {

struct CalibrationOptions {
  // Tried first; unset: int8. Where int4 does not pass, int8 is next; where int8 does not, layers
  // become bfloat16, in the end all.
  std::optional<Precision> precision = {};
  double max_drop = 1;  // Points of word error rate that may be lost against float32.
  std::string date;     // Of today, for the record.
  int threads = 0;      // 0: as many as the process may use.
  // Called before each recording of each pass over the data ("fp32", "int8").
  std::function<void(std::string_view pass, int64_t done, int64_t items)> on_progress = {};
};

struct Calibration {
  Precision precision = Precision::kInt8;
  AccuracyCheck check;
  whisper::Plan plan;
  uint64_t bytes = 0;           // Of the file.
  uint64_t original_bytes = 0;  // Of the published weights.
};

// Runs the published model at `source` in float32 over the recordings of `data`, measures the noise
// of every layer at int8, keeps at bfloat16 the layers that are noisier than the others
// (noise_threshold), and compares the words; where they differ too much, more layers go back,
// noisiest first. The first plan that passes is written to `file`, with what was found.
// Errors: those of loading and of the data (kCorrupt, naming the line); kUnsupported for packed
// models; kInvalidArgument for fp32, which has nothing to check, and for a max_drop below 0 or no
// number; those of check_can_write; kTargetMissed where no plan passes. Nothing is written then.
Result<Calibration> calibrate(const std::filesystem::path& source,
                              const std::filesystem::path& data, const std::filesystem::path& file,
                              const CalibrationOptions& options = {});

// The signal to noise below which a layer is an outlier among `snr_db`: the median less three
// standard deviations, these estimated from the median absolute deviation, so that the outliers
// themselves do not move it. At least kLeastSnr: there a tenth of the power is noise.
// Source: Iglewicz and Hoaglin 1993 (the estimate: 1.4826 times the median absolute deviation).
inline constexpr double kLeastSnr = 10;
double noise_threshold(const std::map<std::string, double>& snr_db);

// The thresholds to try in turn: that, then those that leave three quarters, half and a quarter of
// the layers. Each has more layers below it than the one before.
std::vector<double> noise_thresholds(const std::map<std::string, double>& snr_db);

}  // namespace quintet::compress

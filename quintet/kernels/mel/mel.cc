#include "quintet/kernels/mel/mel.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "quintet/core/check.h"
#include "quintet/kernels/isa.h"
#include "quintet/kernels/mel/mel_tables.h"
#include "quintet/kernels/vec/select.h"

namespace quintet::kernels {
namespace {

// log10 of the floor: what a frame of silence holds.
constexpr float kSilence = -10.0f;

// cos and sin of 2 pi k / 16 and of 2 pi k / 5.
constexpr double kCos16[4] = {1.0, 0.92387953251128676, 0.70710678118654752, 0.38268343236508977};
constexpr double kSin16[4] = {0.0, 0.38268343236508977, 0.70710678118654752, 0.92387953251128676};
constexpr double kCos5[3] = {1.0, 0.30901699437494742, -0.80901699437494742};
constexpr double kSin5[3] = {0.0, 0.95105651629515357, 0.58778525229247313};

struct MelKernel {
  int64_t lanes;
  float (*frames)(const MelTables& tables, const float* samples, int64_t count,
                  MatrixView<float> out);
};

namespace f64x2 {
constexpr int64_t kLanes = 2;
#include "quintet/kernels/mel/mel_kernel.inc"
}  // namespace f64x2

}  // namespace
}  // namespace quintet::kernels

QT_ISA_BEGIN(QT_TARGET_AVX2)
namespace quintet::kernels {
namespace {
namespace f64x4 {
constexpr int64_t kLanes = 4;
#include "quintet/kernels/mel/mel_kernel.inc"
}  // namespace f64x4
}  // namespace
}  // namespace quintet::kernels
QT_ISA_END

QT_ISA_BEGIN(QT_TARGET_AVX512)
namespace quintet::kernels {
namespace {
namespace f64x8 {
constexpr int64_t kLanes = 8;
#include "quintet/kernels/mel/mel_kernel.inc"
}  // namespace f64x8
}  // namespace
}  // namespace quintet::kernels
QT_ISA_END

namespace quintet::kernels {
namespace {

const MelKernel& mel_kernel() {
  return variant_for(active_isa(), f64x2::kKernel, f64x4::kKernel, f64x8::kKernel);
}

// One item of the parallel loop: a multiple of every kernel's lanes.
constexpr int64_t kFramesPerItem = 32;
constexpr int64_t kItemSamples = (kFramesPerItem - 1) * kMelHopSamples + kMelWindowSamples;
constexpr int64_t kReflected = kMelWindowSamples / 2;

// Audio that is padded with zeros, or cut, to `length` samples, and then continued by reflection as
// often as it takes.
struct PaddedAudio {
  std::span<const float> audio;
  int64_t length;

  float operator[](int64_t i) const {
    const int64_t period = 2 * (length - 1);
    i = ((i % period) + period) % period;
    if (i >= length) i = period - i;
    return i < std::ssize(audio) ? audio[static_cast<size_t>(i)] : 0.0f;
  }

  void copy(int64_t first, int64_t count, float* out) const {
    const int64_t plain_end = std::min(length, std::ssize(audio));
    if (first >= 0 && first + count <= plain_end) {
      std::memcpy(out, audio.data() + first, static_cast<size_t>(count) * sizeof(float));
    } else if (first >= plain_end && first + count <= length) {
      std::fill_n(out, count, 0.0f);
    } else {
      for (int64_t i = 0; i < count; ++i) out[i] = (*this)[first + i];
    }
  }
};

bool silent(const float* samples, int64_t count) {
  return std::all_of(samples, samples + count, [](float x) { return x == 0.0f; });
}

float mel_item(const MelTables& tables, const PaddedAudio& audio, int64_t first_frame,
               MatrixView<float> out) {
  float samples[kItemSamples];
  audio.copy(first_frame * kMelHopSamples - kReflected, kItemSamples, samples);
  const MelKernel& kernel = mel_kernel();
  const int64_t group_samples = (kernel.lanes - 1) * kMelHopSamples + kMelWindowSamples;
  float largest = kSilence;
  for (int64_t i = 0; i < out.rows; i += kernel.lanes) {
    const MatrixView<float> rows = out.rows_from(i, std::min(kernel.lanes, out.rows - i));
    const float* first = samples + i * kMelHopSamples;
    if (silent(first, group_samples)) {
      for (int64_t j = 0; j < rows.rows; ++j) std::fill_n(rows.row(j), rows.cols, kSilence);
    } else {
      largest = std::max(largest, kernel.frames(tables, first, rows.rows, rows));
    }
  }
  return largest;
}

}  // namespace

struct MelFilter::Tables : MelTables {
  using MelTables::MelTables;
};

MelFilter::MelFilter(int64_t bins) {
  QT_CHECK(bins >= 1 && bins <= 256);
  tables_ = std::make_unique<Tables>(bins);
}
MelFilter::~MelFilter() = default;
MelFilter::MelFilter(MelFilter&&) noexcept = default;
MelFilter& MelFilter::operator=(MelFilter&&) noexcept = default;

int64_t MelFilter::bins() const { return std::ssize(tables_->spans); }

float MelFilter::log_mel(std::span<const float> audio, MatrixView<float> log_mel,
                         ThreadPool& pool) const {
  QT_CHECK_EQ(log_mel.cols, bins());
  const PaddedAudio padded{audio, log_mel.rows * kMelHopSamples};
  const int64_t items = (log_mel.rows + kFramesPerItem - 1) / kFramesPerItem;
  std::vector<float> largest(static_cast<size_t>(items), kSilence);
  pool.parallel_for(items, [&](int64_t item) {
    const int64_t first = item * kFramesPerItem;
    const int64_t count = std::min(kFramesPerItem, log_mel.rows - first);
    largest[static_cast<size_t>(item)] =
        mel_item(*tables_, padded, first, log_mel.rows_from(first, count));
  });
  return items == 0 ? kSilence : *std::max_element(largest.begin(), largest.end());
}

void normalize_log_mel(MatrixView<float> log_mel, float largest) {
  const float floor = largest - 8.0f;
  for (int64_t i = 0; i < log_mel.rows; ++i) {
    float* row = log_mel.row(i);
    for (int64_t j = 0; j < log_mel.cols; ++j) row[j] = (std::max(row[j], floor) + 4.0f) * 0.25f;
  }
}

}  // namespace quintet::kernels

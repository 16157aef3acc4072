#include "quintet/engine/speech/voice_activity.h"

#include <algorithm>
#include <utility>

namespace quintet::speech {

using silero::kContextSamples;

static_assert(silero::kChunkSamples == kVadChunkSamples);

namespace {

// Handed to the network at a time, 15 s: enough chunks for all threads.
constexpr int64_t kBlockSamples = 480 * kVadChunkSamples;

}  // namespace

Result<VoiceActivity> VoiceActivity::load(const std::filesystem::path& file_or_folder) {
  QT_TRY(silero::Network network, silero::Network::load(file_or_folder));
  return VoiceActivity(std::make_shared<const silero::Network>(std::move(network)));
}

std::vector<float> VoiceActivity::probabilities(std::span<const float> samples,
                                                ThreadPool& pool) const {
  std::vector<float> out;
  out.reserve(samples.size() / kVadChunkSamples + 1);
  VoiceActivityStream stream(*this, pool);
  stream.add(samples, out);
  stream.finish(out);
  return out;
}

VoiceActivityStream::VoiceActivityStream(const VoiceActivity& activity, ThreadPool& pool)
    : network_(activity.network_), pool_(pool), samples_(kContextSamples, 0.0F) {}

void VoiceActivityStream::add(std::span<const float> samples, std::vector<float>& out) {
  while (!samples.empty()) {
    const auto piece = samples.first(std::min<size_t>(samples.size(), kBlockSamples));
    samples = samples.subspan(piece.size());
    samples_.insert(samples_.end(), piece.begin(), piece.end());
    run((std::ssize(samples_) - kContextSamples) / kVadChunkSamples, out);
  }
}

void VoiceActivityStream::finish(std::vector<float>& out) {
  if (std::ssize(samples_) == kContextSamples) return;
  samples_.resize(kContextSamples + kVadChunkSamples, 0.0F);
  run(1, out);
}

void VoiceActivityStream::run(int64_t chunks, std::vector<float>& out) {
  const auto count = static_cast<size_t>(chunks);
  out.resize(out.size() + count);
  const auto used = static_cast<size_t>(kContextSamples + chunks * kVadChunkSamples);
  network_->run(std::span<const float>(samples_).first(used), state_, pool_,
                std::span<float>(out).last(count));
  samples_.erase(samples_.begin(), samples_.begin() + chunks * kVadChunkSamples);
}

SpeechWindowReader::SpeechWindowReader(const VoiceActivity& activity, WindowReader& reader,
                                       ThreadPool& pool, const VadOptions& options)
    : reader_(reader), stream_(activity, pool), cutter_(options) {}

Result<std::optional<SpeechWindow>> SpeechWindowReader::next() {
  while (next_ == found_.size() && !ended_) QT_TRY_VOID(read_block());
  if (next_ == found_.size()) return std::optional<SpeechWindow>();
  return std::optional(found_[next_++]);
}

Result<void> SpeechWindowReader::read_block() {
  found_.clear();
  next_ = 0;
  // What the next window may still need stays in the reader.
  const int64_t first = cutter_.earliest_begin();
  const int64_t wanted = samples_read_ + kBlockSamples - first;
  QT_TRY(const std::span<const float> samples, reader_.window(first, wanted));
  ended_ = std::ssize(samples) < wanted;
  std::vector<float> probabilities;
  stream_.add(samples.subspan(static_cast<size_t>(samples_read_ - first)), probabilities);
  samples_read_ = first + std::ssize(samples);
  if (ended_) stream_.finish(probabilities);
  cutter_.add(probabilities, found_);
  if (ended_) cutter_.finish(samples_read_, found_);
  return {};
}

}  // namespace quintet::speech

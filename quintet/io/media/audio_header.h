// What the first bytes of an audio file promise, checked before a decoder sees them.
#pragma once

#include <cstdint>

#include "quintet/core/result.h"
#include "quintet/io/media/audio.h"
#include "quintet/io/media/byte_source.h"

namespace quintet::io {

enum class AudioContainer : uint8_t { kWav, kAiff, kFlac, kOgg, kMpeg };

struct AudioHeader {
  AudioContainer container = AudioContainer::kWav;
  int64_t start = 0;  // Where the container begins: behind ID3 tags and zero padding.
};

// Errors, without the file's name: kUnsupported (nothing that is read here; says what it is where
// that is known), kCorrupt (empty, header cut off or contradictory, WAV or AIFF data cut off).
Result<AudioHeader> check_audio_header(ByteSource& source, const AudioLimits& limits);

// kCorrupt where there are no channels or no rate, kUnsupported beyond the limits.
Result<void> check_audio_shape(int64_t channels, int64_t rate_hz, const AudioLimits& limits);

}  // namespace quintet::io

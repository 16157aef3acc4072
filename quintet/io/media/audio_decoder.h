// One face for the libraries that decode audio.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "quintet/core/result.h"
#include "quintet/io/media/audio.h"
#include "quintet/io/media/audio_header.h"
#include "quintet/io/media/byte_source.h"

namespace quintet::io {

// Errors of decoders do not name the file.
class AudioDecoder {
 public:
  virtual ~AudioDecoder() = default;

  const AudioInfo& info() const { return info_; }
  // Whether audio that ends before info().frames is cut off, and not only guessed too long.
  bool length_is_exact() const { return length_is_exact_; }

  // Shapes: out [frames, channels]. Returns how many frames, 0 at the end.
  // Errors: kCorrupt where the bytes cannot be decoded.
  virtual Result<int64_t> read(std::span<float> out) = 0;

 protected:
  AudioInfo info_;
  bool length_is_exact_ = false;
};

// Errors: kCorrupt, kUnsupported; channels and rate lie within the limits afterwards.
Result<std::unique_ptr<AudioDecoder>> open_decoder(ByteSource source, const AudioHeader& header,
                                                   const AudioLimits& limits);

// One library each, for open_decoder.
Result<std::unique_ptr<AudioDecoder>> open_sndfile_decoder(ByteCursor bytes,
                                                           const AudioLimits& limits);
Result<std::unique_ptr<AudioDecoder>> open_mpeg_decoder(ByteCursor bytes,
                                                        const AudioLimits& limits);

}  // namespace quintet::io

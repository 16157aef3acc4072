#include "quintet/io/media/audio_decoder.h"

#include <utility>

namespace quintet::io {

Result<std::unique_ptr<AudioDecoder>> open_decoder(ByteSource source, const AudioHeader& header,
                                                   const AudioLimits& limits) {
  ByteCursor bytes(std::move(source), header.start);
  // libsndfile reads MP3 too, but leaves libmpg123 to write its warnings to stderr.
  return header.container == AudioContainer::kMpeg ? open_mpeg_decoder(std::move(bytes), limits)
                                                   : open_sndfile_decoder(std::move(bytes), limits);
}

}  // namespace quintet::io

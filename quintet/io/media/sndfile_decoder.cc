// WAV, AIFF, FLAC and Ogg by libsndfile.
#include <sndfile.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "quintet/io/media/audio_decoder.h"

namespace quintet::io {
namespace {

struct Name {
  int format;
  std::string_view name;
};

// What is read. libsndfile knows more containers and codings; those here are in use and fuzzed.
constexpr std::array<Name, 6> kContainers = {{
    {SF_FORMAT_WAV, "WAV"},
    {SF_FORMAT_WAVEX, "WAV"},
    {SF_FORMAT_RF64, "RF64"},
    {SF_FORMAT_AIFF, "AIFF"},
    {SF_FORMAT_FLAC, "FLAC"},
    {SF_FORMAT_OGG, "Ogg"},
}};
constexpr std::array<Name, 13> kCodings = {{
    {SF_FORMAT_PCM_S8, "8-bit PCM"},
    {SF_FORMAT_PCM_U8, "8-bit PCM"},
    {SF_FORMAT_PCM_16, "16-bit PCM"},
    {SF_FORMAT_PCM_24, "24-bit PCM"},
    {SF_FORMAT_PCM_32, "32-bit PCM"},
    {SF_FORMAT_FLOAT, "32-bit float"},
    {SF_FORMAT_DOUBLE, "64-bit float"},
    {SF_FORMAT_ULAW, "u-law"},
    {SF_FORMAT_ALAW, "A-law"},
    {SF_FORMAT_IMA_ADPCM, "IMA ADPCM"},
    {SF_FORMAT_MS_ADPCM, "Microsoft ADPCM"},
    {SF_FORMAT_VORBIS, "Vorbis"},
    {SF_FORMAT_OPUS, "Opus"},
}};

template <size_t n>
std::optional<std::string> find_name(const std::array<Name, n>& names, int format) {
  const auto found = std::find_if(names.begin(), names.end(),
                                  [&](const Name& entry) { return entry.format == format; });
  if (found == names.end()) return std::nullopt;
  return std::string(found->name);
}

ByteCursor& cursor(void* user) { return *static_cast<ByteCursor*>(user); }

sf_count_t size_of(void* user) { return cursor(user).size(); }
sf_count_t tell(void* user) { return cursor(user).position(); }
sf_count_t seek(sf_count_t offset, int whence, void* user) {
  return cursor(user).seek(offset, whence);
}
sf_count_t read_bytes(void* out, sf_count_t bytes, void* user) {
  if (bytes <= 0) return 0;
  const std::span<std::byte> span(static_cast<std::byte*>(out), static_cast<size_t>(bytes));
  return static_cast<sf_count_t>(cursor(user).read(span));
}
sf_count_t write_nothing(const void*, sf_count_t, void*) { return 0; }

struct CloseSound {
  void operator()(SNDFILE* sound) const { sf_close(sound); }
};

class SndfileDecoder : public AudioDecoder {
 public:
  explicit SndfileDecoder(ByteCursor bytes) : bytes_(std::move(bytes)) {}

  Result<void> start(const AudioLimits& limits) {
    SF_VIRTUAL_IO io{size_of, seek, read_bytes, write_nothing, tell};
    SF_INFO sound{};
    sound_.reset(sf_open_virtual(&io, SFM_READ, &sound, &bytes_));
    if (!sound_) {
      // libsndfile keeps the reason in a variable of the whole process, which other threads write.
      return Error(Code::kCorrupt,
                   "cannot be decoded: the header is damaged or cut off, or of a coding that is "
                   "not read");
    }
    QT_TRY_VOID(check_audio_shape(sound.channels, sound.samplerate, limits));
    const auto outer = find_name(kContainers, sound.format & SF_FORMAT_TYPEMASK);
    const auto coding = find_name(kCodings, sound.format & SF_FORMAT_SUBMASK);
    if (!outer || !coding) {
      return Error(Code::kUnsupported,
                   "has a coding that is not read; convert it to 16-bit PCM first");
    }
    info_.sample_rate_hz = sound.samplerate;
    info_.channels = sound.channels;
    info_.frames = sound.frames >= 0 && sound.frames < SF_COUNT_MAX ? sound.frames : -1;
    info_.format = *outer + " " + *coding;
    // The length of an Ogg file is that of its last page: a guess where the file is damaged.
    length_is_exact_ = info_.frames >= 0 && (sound.format & SF_FORMAT_TYPEMASK) != SF_FORMAT_OGG;
    return {};
  }

  Result<int64_t> read(std::span<float> out) override {
    const auto wanted = static_cast<sf_count_t>(out.size()) / info_.channels;
    const int64_t n = sf_readf_float(sound_.get(), out.data(), wanted);
    if (n <= 0 && sf_error(sound_.get()) != SF_ERR_NO_ERROR) {
      return Error(Code::kCorrupt, "cannot be decoded");
    }
    return std::clamp<int64_t>(n, 0, wanted);
  }

 private:
  ByteCursor bytes_;  // Where sound_ reads: it has to live longer.
  std::unique_ptr<SNDFILE, CloseSound> sound_;
};

}  // namespace

Result<std::unique_ptr<AudioDecoder>> open_sndfile_decoder(ByteCursor bytes,
                                                           const AudioLimits& limits) {
  auto decoder = std::make_unique<SndfileDecoder>(std::move(bytes));
  QT_TRY_VOID(decoder->start(limits));
  return std::unique_ptr<AudioDecoder>(std::move(decoder));
}

}  // namespace quintet::io

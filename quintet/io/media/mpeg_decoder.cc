// MP3 (and layer II) by libmpg123.
#include <mpg123.h>

#include <cstddef>
#include <string>
#include <utility>

#include "quintet/io/media/audio_decoder.h"

namespace quintet::io {
namespace {

ssize_t read_bytes(void* user, void* out, size_t bytes) {
  return static_cast<ssize_t>(
      static_cast<ByteCursor*>(user)->read({static_cast<std::byte*>(out), bytes}));
}

off_t seek(void* user, off_t offset, int whence) {
  return static_cast<off_t>(static_cast<ByteCursor*>(user)->seek(offset, whence));
}

struct DeleteHandle {
  void operator()(mpg123_handle* handle) const { mpg123_delete(handle); }
};

class MpegDecoder : public AudioDecoder {
 public:
  explicit MpegDecoder(ByteCursor bytes) : bytes_(std::move(bytes)) {}

  Result<void> start(const AudioLimits& limits) {
    static const int ready = mpg123_init();  // Older versions need it, and only once.
    handle_.reset(ready == MPG123_OK ? mpg123_new(nullptr, nullptr) : nullptr);
    if (!handle_) return Error(Code::kInternal, "libmpg123 cannot be started");
    long rate_hz = 0;
    int channels = 0;
    if (!configure() || mpg123_open_handle(handle_.get(), &bytes_) != MPG123_OK ||
        !has_format(&rate_hz, &channels)) {
      return Error(Code::kCorrupt, "cannot be decoded as MP3: the file is damaged or cut off");
    }
    QT_TRY_VOID(check_audio_shape(channels, rate_hz, limits));
    keep_channels(channels);
    mpg123_frameinfo frame{};
    mpg123_info(handle_.get(), &frame);
    // Without the scan the length is a guess from the rate of bits of the first frame.
    const bool scanned = mpg123_scan(handle_.get()) == MPG123_OK;
    const off_t length = scanned ? mpg123_length(handle_.get()) : off_t{-1};
    info_.sample_rate_hz = rate_hz;
    info_.channels = channels;
    info_.frames = length >= 0 ? static_cast<int64_t>(length) : -1;
    info_.format = frame.layer == 2 ? "MP2" : "MP3";
    return {};
  }

  Result<int64_t> read(std::span<float> out) override {
    const std::span<std::byte> bytes = std::as_writable_bytes(out);
    while (true) {
      size_t done = 0;
      const int status = mpg123_read(handle_.get(), bytes.data(), bytes.size(), &done);
      const auto n = static_cast<int64_t>(done / sizeof(float)) / info_.channels;
      if (n > 0 || status == MPG123_DONE) return n;
      // A new format is announced in front of the first samples too.
      long rate_hz = 0;
      int channels = 0;
      if (status != MPG123_NEW_FORMAT || !has_format(&rate_hz, &channels) ||
          channels != info_.channels) {
        return Error(Code::kCorrupt, "cannot be decoded");
      }
      if (rate_hz != info_.sample_rate_hz) {
        return Error(Code::kCorrupt, "changes its rate to " + std::to_string(rate_hz) + " Hz");
      }
    }
  }

 private:
  bool configure() {
    mpg123_handle* handle = handle_.get();
    const long flags = MPG123_QUIET | MPG123_FORCE_FLOAT | MPG123_GAPLESS | MPG123_SKIP_ID3V2;
    return mpg123_param(handle, MPG123_ADD_FLAGS, flags, 0) == MPG123_OK &&
           mpg123_param(handle, MPG123_REMOVE_FLAGS, MPG123_AUTO_RESAMPLE, 0) == MPG123_OK &&
           // Whatever stands between frames is skipped, as players do.
           mpg123_param(handle, MPG123_RESYNC_LIMIT, -1, 0) == MPG123_OK &&
           mpg123_replace_reader_handle(handle, read_bytes, seek, nullptr) == MPG123_OK;
  }

  // From here on libmpg123 converts between mono and stereo where the stream changes. All rates
  // stay allowed: where one is not, it writes to stderr, quiet or not.
  void keep_channels(int channels) {
    const long* rates_hz = nullptr;
    size_t count = 0;
    mpg123_rates(&rates_hz, &count);
    mpg123_format_none(handle_.get());
    for (size_t i = 0; i < count; ++i) {
      mpg123_format(handle_.get(), rates_hz[i], channels == 1 ? MPG123_MONO : MPG123_STEREO,
                    MPG123_ENC_FLOAT_32);
    }
  }

  bool has_format(long* rate_hz, int* channels) {
    int encoding = 0;
    return mpg123_getformat(handle_.get(), rate_hz, channels, &encoding) == MPG123_OK &&
           encoding == MPG123_ENC_FLOAT_32;
  }

  ByteCursor bytes_;  // Where handle_ reads: it has to live longer.
  std::unique_ptr<mpg123_handle, DeleteHandle> handle_;
};

}  // namespace

Result<std::unique_ptr<AudioDecoder>> open_mpeg_decoder(ByteCursor bytes,
                                                        const AudioLimits& limits) {
  auto decoder = std::make_unique<MpegDecoder>(std::move(bytes));
  QT_TRY_VOID(decoder->start(limits));
  return std::unique_ptr<AudioDecoder>(std::move(decoder));
}

}  // namespace quintet::io

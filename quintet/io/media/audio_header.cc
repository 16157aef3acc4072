#include "quintet/io/media/audio_header.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace quintet::io {
namespace {

constexpr std::string_view kReadFormats = "wav, flac, ogg, mp3 or aiff";

// A file of minimal chunks must not keep the walk busy for its whole length.
constexpr int kMaxChunks = 4096;

// PCM, Microsoft ADPCM, float, A-law, u-law, IMA ADPCM. With any other libsndfile would start
// decoders that are not meant here.
constexpr std::array<uint64_t, 6> kWavCodings = {1, 2, 3, 6, 7, 0x11};
constexpr uint64_t kWavExtensible = 0xfffe;  // The coding stands behind the ordinary fields.

struct Magic {
  size_t offset;
  std::string_view bytes;
  std::string_view name;
};

// Formats that people try, with the name to tell them.
constexpr std::array<Magic, 11> kUnreadFormats = {{
    {4, "ftyp", "MP4 (m4a, AAC)"},
    {0, "\x1a\x45\xdf\xa3", "WebM or Matroska"},
    {8, "AVI ", "AVI"},
    {0, "\x30\x26\xb2\x75", "WMA (ASF)"},
    {0, "#!AMR", "AMR"},
    {0, "caff", "CAF"},
    {0, ".snd", "AU"},
    {0, "riff", "Wave64"},
    {0, "BW64", "BW64"},
    {0, "wvPk", "WavPack"},
    {0, "MAC ", "Monkey's Audio"},
}};

// Numbers of a header. Beyond the end of the file everything reads as zero.
class Fields {
 public:
  Fields(ByteSource& source, std::endian order) : source_(source), order_(order) {}

  uint64_t number(int64_t position, size_t bytes) {
    std::array<std::byte, 8> raw{};
    source_.read_at(position, std::span(raw).first(bytes));
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) {
      const size_t most_significant_first = order_ == std::endian::big ? i : bytes - 1 - i;
      value = value << 8 | static_cast<uint64_t>(raw[most_significant_first]);
    }
    return value;
  }

  std::string text(int64_t position, size_t bytes) {
    std::string value(bytes, '\0');
    source_.read_at(position, std::as_writable_bytes(std::span(value)));
    return value;
  }

  int64_t size() const { return source_.size(); }

 private:
  ByteSource& source_;
  std::endian order_;
};

std::string with_two_decimals(double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.2f", value);
  return text.data();
}

// The sizes that programs write when they cannot go back to the header: nothing, the largest
// number of 32 bits (ffmpeg) or of 31 bits (arecord: one more, sox and espeak: 4 KiB less), from
// which some take off the header's own bytes.
bool is_placeholder(uint64_t size) {
  return size == 0 || (size >= 0x7fff'e000 && size <= 0x8000'0000) || size >= 0xffff'f000;
}

// `bytes_per_second` 0: not known.
Error cut_off(uint64_t declared_bytes, uint64_t held_bytes, double bytes_per_second) {
  std::string message;
  if (bytes_per_second > 0) {
    message = "declares " +
              with_two_decimals(static_cast<double>(declared_bytes) / bytes_per_second) +
              " seconds of audio but holds " +
              with_two_decimals(static_cast<double>(held_bytes) / bytes_per_second);
  } else {
    message = "declares " + std::to_string(declared_bytes) + " bytes of audio but holds " +
              std::to_string(held_bytes);
  }
  return Error(Code::kCorrupt, message + "; the file is cut off");
}

struct Chunk {
  std::string id;
  int64_t position;  // Of the content.
  uint64_t declared_bytes;
  uint64_t held_bytes;  // What of it the file has.
};

// Calls `visit` with each chunk from `position` on until it returns an error or true (found).
// Returns whether it was found.
template <typename Visit>
Result<bool> walk_chunks(Fields& fields, int64_t position, const Visit& visit) {
  for (int count = 0; count < kMaxChunks; ++count) {
    if (position + 8 > fields.size()) return false;
    const uint64_t declared = fields.number(position + 4, 4);
    const uint64_t held = std::min(declared, static_cast<uint64_t>(fields.size() - (position + 8)));
    QT_TRY(const bool found, visit(Chunk{fields.text(position, 4), position + 8, declared, held}));
    if (found) return true;
    position += 8 + static_cast<int64_t>(declared + (declared & 1));
  }
  return Error(Code::kUnsupported,
               "has more than " + std::to_string(kMaxChunks) + " chunks in front of its audio");
}

// Checks the format chunk. Returns bytes per second, 0 where it does not say.
Result<double> check_wav_format(Fields& fields, const Chunk& chunk, const AudioLimits& limits) {
  if (chunk.held_bytes < 16) return Error(Code::kCorrupt, "its WAV header is cut off");
  const auto rate_hz = static_cast<int64_t>(fields.number(chunk.position + 4, 4));
  const auto channels = static_cast<int64_t>(fields.number(chunk.position + 2, 2));
  QT_TRY_VOID(check_audio_shape(channels, rate_hz, limits));
  uint64_t coding = fields.number(chunk.position, 2);
  if (coding == kWavExtensible) coding = fields.number(chunk.position + 24, 2);
  if (std::find(kWavCodings.begin(), kWavCodings.end(), coding) == kWavCodings.end()) {
    return Error(Code::kUnsupported, "is WAV with coding " + std::to_string(coding) +
                                         ", which is not read; convert it to 16-bit PCM first");
  }
  // The average of bytes per second is often wrong where no decoder needs it.
  const bool is_plain = coding == 1 || coding == 3;
  const auto block_bytes = static_cast<double>(fields.number(chunk.position + 12, 2));
  return is_plain ? block_bytes * static_cast<double>(rate_hz)
                  : static_cast<double>(fields.number(chunk.position + 8, 4));
}

// Layout: Microsoft, Multimedia Programming Interface 1.0 (RIFF); EBU Tech 3306 (RF64).
Result<void> check_wav(ByteSource& source, int64_t start, const AudioLimits& limits) {
  const bool is_big_endian = Fields(source, std::endian::big).text(start, 4) == "RIFX";
  Fields fields(source, is_big_endian ? std::endian::big : std::endian::little);
  double bytes_per_second = 0;
  uint64_t long_size = 0;  // Of the data, where 32 bits do not hold it.
  bool has_format = false;
  const auto visit = [&](const Chunk& chunk) -> Result<bool> {
    if (chunk.id == "ds64" && chunk.held_bytes >= 16) {
      long_size = fields.number(chunk.position + 8, 8);
    } else if (chunk.id == "fmt " && !has_format) {
      QT_TRY(bytes_per_second, check_wav_format(fields, chunk, limits));
      has_format = true;
    } else if (chunk.id == "data") {
      if (!has_format) return Error(Code::kCorrupt, "its WAV header has no format chunk");
      const bool is_long = chunk.declared_bytes == 0xffff'ffff && long_size > 0;
      const uint64_t declared = is_long ? long_size : chunk.declared_bytes;
      const auto held = static_cast<uint64_t>(fields.size() - chunk.position);
      const bool is_streamed = is_long ? ~long_size == 0 : is_placeholder(declared);
      if (declared > held && !is_streamed) return cut_off(declared, held, bytes_per_second);
      // libsndfile takes 0 for the truth more often than it is: it is where the outer size says
      // that other chunks follow.
      const auto outer = static_cast<int64_t>(fields.number(start + 4, 4));
      if (declared == 0 && outer + 8 < fields.size() - start) {
        source.replace(chunk.position - 4, std::vector<std::byte>(4, std::byte{0xff}));
      }
      return true;
    }
    return false;
  };
  QT_TRY(const bool found, walk_chunks(fields, start + 12, visit));
  if (!found) return Error(Code::kCorrupt, "its WAV header is cut off: there is no data chunk");
  return {};
}

// An IEEE 754 number of 80 bits, as AIFF stores rates.
double extended_number(Fields& fields, int64_t position) {
  const auto sign_and_exponent = static_cast<int>(fields.number(position, 2));
  const auto mantissa = static_cast<double>(fields.number(position + 2, 8));
  const double value = std::ldexp(mantissa, (sign_and_exponent & 0x7fff) - 16383 - 63);
  return (sign_and_exponent & 0x8000) != 0 ? -value : value;
}

// Layout: Apple, Audio Interchange File Format 1.3.
Result<void> check_aiff(ByteSource& source, int64_t start, const AudioLimits& limits) {
  Fields fields(source, std::endian::big);
  double bytes_per_second = 0;
  bool has_format = false;
  bool has_data = false;
  const auto visit = [&](const Chunk& chunk) -> Result<bool> {
    if (chunk.id == "COMM") {
      if (chunk.held_bytes < 18) return Error(Code::kCorrupt, "its AIFF header is cut off");
      const auto channels = static_cast<int64_t>(fields.number(chunk.position, 2));
      const double rate_hz = std::clamp(extended_number(fields, chunk.position + 8), 0.0, 1e15);
      QT_TRY_VOID(check_audio_shape(channels, static_cast<int64_t>(rate_hz), limits));
      const uint64_t bits = fields.number(chunk.position + 6, 2);
      bytes_per_second =
          rate_hz * static_cast<double>(channels) * static_cast<double>((bits + 7) / 8);
      has_format = true;
    } else if (chunk.id == "SSND") {
      if (chunk.declared_bytes > chunk.held_bytes && !is_placeholder(chunk.declared_bytes)) {
        return cut_off(chunk.declared_bytes, chunk.held_bytes, bytes_per_second);
      }
      has_data = true;
    }
    return has_format && has_data;
  };
  QT_TRY(const bool found, walk_chunks(fields, start + 12, visit));
  if (!found) {
    return Error(Code::kCorrupt, "its AIFF header is cut off: there is no " +
                                     std::string(has_format ? "sound" : "format") + " chunk");
  }
  return {};
}

// Where the audio starts behind ID3v2 tags and the zeros that some taggers leave.
int64_t skip_tags(ByteSource& source) {
  constexpr int64_t kMaxPadding = int64_t{64} << 10;
  Fields fields(source, std::endian::big);
  int64_t position = 0;
  while (position + 10 <= source.size() && fields.text(position, 3) == "ID3") {
    uint64_t size = 0;  // Seven bits of each byte count.
    for (int i = 6; i < 10; ++i) size = size << 7 | (fields.number(position + i, 1) & 0x7f);
    const bool has_footer = (fields.number(position + 5, 1) & 0x10) != 0;
    position += static_cast<int64_t>(size) + (has_footer ? 20 : 10);
  }
  if (position == 0) return 0;
  const int64_t end = std::min(position + kMaxPadding, source.size());
  while (position < end && fields.number(position, 1) == 0) ++position;
  return position;
}

// ISO/IEC 11172-3: eleven set bits, then version, layer, protection, bit rate and rate. Layer I is
// left out: nobody uses it, and the byte order mark of UTF-16 text looks like it.
bool starts_mpeg_frame(uint64_t word) {
  const uint64_t layer = word >> 17 & 3;
  return word >> 21 == 0x7ff && (layer == 1 || layer == 2) && (word >> 12 & 15) != 15 &&
         (word >> 10 & 3) != 3;
}

bool starts_aac_frame(uint64_t word) { return word >> 20 == 0xfff && (word >> 17 & 3) == 0; }

Error unread(std::string_view name) {
  return Error(Code::kUnsupported, "is " + std::string(name) +
                                       ", which is not read; convert it to wav, flac, ogg or mp3 "
                                       "first");
}

}  // namespace

Result<void> check_audio_shape(int64_t channels, int64_t rate_hz, const AudioLimits& limits) {
  if (channels < 1) return Error(Code::kCorrupt, "declares 0 channels");
  if (rate_hz < 1) return Error(Code::kCorrupt, "declares a rate of 0 Hz");
  if (channels > limits.max_channels) {
    return Error(Code::kUnsupported, "declares " + std::to_string(channels) +
                                         " channels, more than the " +
                                         std::to_string(limits.max_channels) + " allowed");
  }
  if (rate_hz < limits.min_sample_rate_hz || rate_hz > limits.max_sample_rate_hz) {
    return Error(Code::kUnsupported, "declares a rate of " + std::to_string(rate_hz) +
                                         " Hz, expected " +
                                         std::to_string(limits.min_sample_rate_hz) + " to " +
                                         std::to_string(limits.max_sample_rate_hz));
  }
  return {};
}

Result<AudioHeader> check_audio_header(ByteSource& source, const AudioLimits& limits) {
  if (source.size() == 0) return Error(Code::kCorrupt, "is empty, expected an audio file");
  const int64_t start = skip_tags(source);
  Fields fields(source, std::endian::big);
  const std::string id = fields.text(start, 4);
  const std::string kind = fields.text(start + 8, 4);
  if ((id == "RIFF" || id == "RIFX" || id == "RF64") && kind == "WAVE") {
    QT_TRY_VOID(check_wav(source, start, limits));
    return AudioHeader{AudioContainer::kWav, start};
  }
  if (id == "FORM" && (kind == "AIFF" || kind == "AIFC")) {
    QT_TRY_VOID(check_aiff(source, start, limits));
    return AudioHeader{AudioContainer::kAiff, start};
  }
  if (id == "fLaC") return AudioHeader{AudioContainer::kFlac, start};
  if (id == "OggS") return AudioHeader{AudioContainer::kOgg, start};
  const uint64_t word = fields.number(start, 4);
  if (starts_mpeg_frame(word)) return AudioHeader{AudioContainer::kMpeg, start};
  if (starts_aac_frame(word)) return unread("raw AAC");
  for (const Magic& magic : kUnreadFormats) {
    if (fields.text(start + static_cast<int64_t>(magic.offset), magic.bytes.size()) ==
        magic.bytes) {
      return unread(magic.name);
    }
  }
  if (source.size() < 12 && (id == "RIFF" || id == "RF64" || id == "FORM")) {
    return Error(Code::kCorrupt,
                 "its header is cut off after " + std::to_string(source.size()) + " bytes");
  }
  if (start > 0) return Error(Code::kCorrupt, "has an ID3 tag but no audio that can be read");
  return Error(Code::kUnsupported,
               "is not an audio file of a format that is read: " + std::string(kReadFormats));
}

}  // namespace quintet::io

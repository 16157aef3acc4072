// Where the windows of a recording come from.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/core/thread_pool.h"
#include "quintet/engine/speech/voice_activity.h"
#include "quintet/engine/speech/window_reader.h"

namespace quintet::speech {

// A stretch of a recording that is encoded and decoded on its own.
struct AudioWindow {
  std::vector<float> samples;  // 16 kHz.
  int64_t begin = 0;           // Of the recording's samples.

  double begin_seconds() const;
  double seconds() const;
};

class WindowSource {
 public:
  virtual ~WindowSource() = default;

  // nullopt: there are no more, or where the next one begins depends on the text of the last.
  // Errors: those of reading.
  virtual Result<std::optional<AudioWindow>> next() = 0;
  // Whether next() will never give one again.
  virtual bool ended() const = 0;
  // `window` is decoded up to so many seconds from its begin.
  virtual void done(const AudioWindow& window, double advance_seconds) = 0;
  // Whether windows stand alone: none needs the text of another.
  virtual bool independent() const = 0;
  // Whether the windows given so far must be decoded with timestamps for the next ones' sake.
  virtual bool needs_timestamps() const = 0;
};

// Each window begins where the text of the one before ends.
class TimestampWindows final : public WindowSource {
 public:
  // Windows of up to `length` samples. The reader must outlive this.
  TimestampWindows(WindowReader& reader, int64_t length) : reader_(reader), length_(length) {}

  Result<std::optional<AudioWindow>> next() override;
  bool ended() const override { return ended_; }
  void done(const AudioWindow& window, double advance_seconds) override;
  bool independent() const override { return false; }
  bool needs_timestamps() const override { return several_; }

 private:
  WindowReader& reader_;
  int64_t length_;
  int64_t begin_ = 0;
  bool waiting_ = false;  // For the text of the last one.
  bool ended_ = false;
  bool several_ = false;
};

// Windows begin and end in silences, as the voice-activity network finds them; what lies between
// them is left out.
class SilenceWindows final : public WindowSource {
 public:
  // Windows of up to `length` samples. Everything that is passed in must outlive this.
  SilenceWindows(WindowReader& reader, int64_t length, const VoiceActivity& activity,
                 ThreadPool& pool);

  Result<std::optional<AudioWindow>> next() override;
  bool ended() const override { return ended_; }
  void done(const AudioWindow&, double) override {}
  bool independent() const override { return true; }
  bool needs_timestamps() const override { return false; }

 private:
  WindowReader& reader_;
  SpeechWindowReader windows_;
  bool ended_ = false;
};

}  // namespace quintet::speech

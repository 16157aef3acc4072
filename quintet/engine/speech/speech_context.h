#pragma once

#include "quintet/core/thread_pool.h"
#include "quintet/engine/models/whisper/model.h"
#include "quintet/engine/speech/vocabulary.h"
#include "quintet/engine/speech/voice_activity.h"
#include "quintet/kernels/mel/mel.h"

namespace quintet::speech {

// A loaded model and what was made of it: the same for all that is transcribed with it.
struct SpeechContext {
  const whisper::Model& model;
  const Vocabulary& vocabulary;
  const kernels::MelFilter& mel;
  ThreadPool& pool;
  const VoiceActivity* voice_activity;  // Null: none was loaded.
  double load_ms;                       // What loading all of it took.
};

}  // namespace quintet::speech

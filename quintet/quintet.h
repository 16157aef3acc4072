// Quintet: multimodal models, fast on the machine at hand. This header is the public API.
//
//   #include <quintet/quintet.h>
//
//   auto model = quintet::SpeechModel::load("whisper-base");
//   if (!model) return fail(model.error().message());
//   auto transcript = model->transcribe("speech.wav");
//   if (transcript) std::puts(transcript->text.c_str());
#pragma once

#include "quintet/core/result.h"
#include "quintet/engine/precision.h"
#include "quintet/engine/speech/speech_model.h"
#include "quintet/engine/speech/transcript.h"
#include "quintet/engine/speech/transcript_format.h"
#include "quintet/engine/text/text_model.h"

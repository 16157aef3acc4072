// A speech model from a Whisper in memory, for those inside the library that change one.
#pragma once

#include <memory>
#include <string>

#include "quintet/core/result.h"
#include "quintet/engine/models/whisper/model.h"
#include "quintet/engine/speech/speech_model.h"

namespace quintet {

// `options.precision` is not read, the model has one; nor is `options.voice_activity`: it has none.
// Errors: kNotFound where it has no tokenizer, kCorrupt where that does not fit.
Result<SpeechModel> make_speech_model(std::unique_ptr<whisper::Model> model,
                                      const LoadOptions& options);

}  // namespace quintet

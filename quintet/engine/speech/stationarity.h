// Tells steady noise from anything that changes as speech does.
#pragma once

#include "quintet/core/tensor.h"

namespace quintet::speech {

// How much the level of a mel band changes from one 100 ms to the next: the standard deviation over
// time in dB, mean over the bands. Steady noise of any colour has about 1.2 dB, clean speech 9 to
// 15, speech in white noise of its own power 2.2 to 3.
// Shapes: log_mel [frames, F] as normalize_log_mel leaves it. Below one second there is too little
// to tell, and the result is +infinity.
float modulation_db(MatrixView<const float> log_mel);

}  // namespace quintet::speech

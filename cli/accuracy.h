// What a packed file says about its accuracy, for people.
#pragma once

#include <string_view>

#include "quintet/engine/accuracy_check.h"

namespace quintet::cli {

// Three lines: on what, the word error rates, the verdict.
void print_check(std::string_view precision, const AccuracyCheck& check);

}  // namespace quintet::cli

// Numbers in English text, written as people say them, in digits.
#pragma once

#include <string>
#include <string_view>

namespace quintet::eval {

// "two hundred and five dollars" -> "$205", "twenty first" -> "21st", "three point five percent" ->
// "3.5%". A 1 that stands alone becomes "one", so that it agrees with the pronoun.
// REQUIRES: lower case, words between spaces, no punctuation but . % $ ¢ € £ (normalize.cc).
// Source: the rules of appendix C of Radford et al. 2022 and the behaviour of its implementation.
std::string english_numbers_to_digits(std::string_view text);

}  // namespace quintet::eval

// Text made comparable before words are counted as errors: the normalisation under which Whisper's
// error rates are published. Source: Radford et al. 2022, appendix C, and the behaviour of its
// public implementation.
#pragma once

#include <string>
#include <string_view>

namespace quintet::eval {

enum class SplitLetters { kNo, kYes };

// For any language: lower case; without what stands in [], <> and (); marks, symbols and
// punctuation become spaces; single spaces, none at the ends. With kYes a space also stands between
// all letters (grapheme clusters): for languages written without spaces.
// Differs from the public implementation: control characters that join emoji are removed.
std::string normalize_basic(std::string_view text, SplitLetters split = SplitLetters::kNo);

// For English, also: without fillers ("uh"); contractions and titles written out ("mister");
// numbers in digits ("twenty five dollars" -> "$25", but 1 alone is "one"); American spelling; no
// diacritics.
// Differs from the public implementation:
// - typographic apostrophes count as "'", so that "don’t" is "do not" and not "don t";
// - "ninth" is "9th", as the other ordinals are, and the noun "cause" is not "because";
// - numbers beyond 18 digits are not joined with the words around them;
// - spelling follows rules and short lists (english_spelling.h): rarer words keep their British
//   form, and a few regular ones change that its table leaves out;
// - bytes that are not UTF-8 separate words; white space at the ends is removed.
// Known oddities are kept, because published rates have them: "o'clock" is "0 clock", "$1" is
// "one".
std::string normalize_english(std::string_view text);

// True for zh, yue, ja, th, lo and my. `language`: a code of two or three letters.
bool writes_without_spaces(std::string_view language);

// normalize_english for "en" and "", else normalize_basic, with letters split in languages written
// without spaces.
std::string normalize_text(std::string_view text, std::string_view language);

}  // namespace quintet::eval

// British spelling of English words turned into American spelling.
#pragma once

#include <string>
#include <string_view>

namespace quintet::eval {

// The American form of one lower-case word; the word itself where no rule or list knows it.
std::string american_spelling(std::string_view word);

}  // namespace quintet::eval

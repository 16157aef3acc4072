// The alphabet in which byte-level vocabularies are written: every byte has a printable character,
// so that a token is text whatever bytes it stands for. Source: Radford et al. 2019 (GPT-2).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quintet::io {

// " a" -> "Ġa".
std::string bytes_to_alphabet(std::string_view bytes);

// "Ġa" -> " a"; nullopt where `text` has a character outside the alphabet.
std::optional<std::string> bytes_from_alphabet(std::string_view text);

}  // namespace quintet::io

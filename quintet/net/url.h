// URLs: as links mean them, and as people may read them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quintet::net {

// `reference` as a link on the page `base` means it: absolute, or relative to the page.
// nullopt where the outcome is no http or https URL, or would step down from https to http.
std::optional<std::string> resolve_url(const std::string& base, const std::string& reference);

// For messages: the URL without user name, password, query and fragment.
std::string printable_url(const std::string& url);

// The beginning of a text from outside, fit for one line of a message: no control characters.
std::string one_line(std::string_view text);

}  // namespace quintet::net

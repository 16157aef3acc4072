// The configuration files of pip: an INI dialect.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace quintet::net {

// "section.key" -> value, keys in lower case with '-' for '_'; the lines of a value that continues
// are joined by '\n'. Lines that mean nothing are left out: pip itself reports them.
// Source: Python's configparser (RawConfigParser) with pip's key normalisation.
std::map<std::string, std::string> parse_pip_config(std::string_view text);

// The settings of every file that pip would read here, those of later precedence laid over those of
// earlier, e.g. "global.index-url".
std::map<std::string, std::string> read_pip_config();

}  // namespace quintet::net

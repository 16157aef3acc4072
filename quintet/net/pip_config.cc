#include "quintet/net/pip_config.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <system_error>
#include <vector>

#include "quintet/core/env.h"
#include "quintet/core/file.h"

namespace quintet::net {
namespace {

constexpr uint64_t kMaxConfigBytes = uint64_t{1} << 20;

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string normalized_key(std::string_view key) {
  std::string result;
  for (const char c : key) {
    result += c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return result;
}

// Least important first. As in pip, a PIP_CONFIG_FILE that exists takes the user's files out.
std::vector<std::filesystem::path> config_files() {
  const auto chosen = env("PIP_CONFIG_FILE");
  if (chosen == "/dev/null") return {};  // pip's own way to say: no files.
  std::vector<std::filesystem::path> files = {"/etc/xdg/pip/pip.conf", "/etc/pip.conf"};
  std::error_code error;
  const auto home = env("HOME");
  if (!chosen || !std::filesystem::exists(*chosen, error)) {
    const auto config = env("XDG_CONFIG_HOME");
    if (home) files.emplace_back(*home + "/.pip/pip.conf");
    if (config) files.emplace_back(*config + "/pip/pip.conf");
    if (home && !config) files.emplace_back(*home + "/.config/pip/pip.conf");
  }
  if (const auto venv = env("VIRTUAL_ENV")) files.emplace_back(*venv + "/pip.conf");
  if (chosen) files.emplace_back(*chosen);
  return files;
}

}  // namespace

std::map<std::string, std::string> parse_pip_config(std::string_view text) {
  std::map<std::string, std::string> settings;
  std::string section;
  std::string* open_value = nullptr;  // The value that an indented line continues.
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view content = trimmed(line);
    if (content.empty() || content.front() == '#' || content.front() == ';') continue;
    if (std::isspace(static_cast<unsigned char>(line.front())) != 0 && open_value != nullptr) {
      open_value->append("\n").append(content);
      continue;
    }
    open_value = nullptr;
    if (content.front() == '[') {
      section = content.substr(1, content.find(']') - 1);
      continue;
    }
    const size_t sign = content.find_first_of("=:");
    if (sign == std::string_view::npos || section.empty()) continue;
    const std::string key = section + "." + normalized_key(trimmed(content.substr(0, sign)));
    open_value = &(settings[key] = trimmed(content.substr(sign + 1)));
  }
  return settings;
}

std::map<std::string, std::string> read_pip_config() {
  std::map<std::string, std::string> settings;
  for (const auto& file : config_files()) {
    const Result<std::string> text = read_file(file, kMaxConfigBytes);
    if (!text) continue;
    for (auto& [key, value] : parse_pip_config(*text)) settings[key] = std::move(value);
  }
  return settings;
}

}  // namespace quintet::net

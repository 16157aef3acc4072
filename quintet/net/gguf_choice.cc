#include "quintet/net/gguf_choice.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace quintet::net {
namespace {

constexpr std::string_view kEnding = ".gguf";

std::string_view base_name(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// "folder/name-00002-of-00003.gguf" is part 2 of 3 of "folder/name".
struct Part {
  std::string_view stem;
  int number = 1;
  int count = 1;
};

Part part_of(std::string_view name) {
  name.remove_suffix(kEnding.size());
  constexpr std::string_view kForm = "-00000-of-00000";
  if (name.size() <= kForm.size()) return {.stem = name};
  const std::string_view last = name.substr(name.size() - kForm.size());
  int numbers[2] = {0, 0};
  for (size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] != '0') {
      if (last[i] != kForm[i]) return {.stem = name};
      continue;
    }
    if (last[i] < '0' || last[i] > '9') return {.stem = name};
    int& number = numbers[i < 6 ? 0 : 1];
    number = 10 * number + (last[i] - '0');
  }
  name.remove_suffix(kForm.size());
  return {.stem = name, .number = numbers[0], .count = numbers[1]};
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

bool ends_with_tag(std::string_view stem, std::string_view tag) {
  if (stem.size() < tag.size()) return false;
  if (!equal_ignoring_case(stem.substr(stem.size() - tag.size()), tag)) return false;
  if (stem.size() == tag.size()) return true;
  return std::string_view("-._/").find(stem[stem.size() - tag.size() - 1]) !=
         std::string_view::npos;
}

bool is_meant(const HubFile& file, const std::string& asked) {
  const Part part = part_of(file.name);
  if (part.number != 1) return false;
  if (asked.empty()) return !base_name(file.name).starts_with("mmproj");
  return file.name == asked || (!asked.ends_with(kEnding) && ends_with_tag(part.stem, asked));
}

std::string list_of(const std::vector<HubFile>& files) {
  constexpr size_t kShown = 12;
  std::string list;
  for (size_t i = 0; i < std::min(kShown, files.size()); ++i) {
    list += (i == 0 ? "" : ", ") + files[i].name;
  }
  if (files.size() > kShown) list += " and " + std::to_string(files.size() - kShown) + " more";
  return list;
}

Result<std::vector<HubFile>> all_parts(const std::vector<HubFile>& ggufs, const HubFile& first) {
  const Part part = part_of(first.name);
  std::vector<HubFile> parts = {first};
  for (int number = 2; number <= part.count; ++number) {
    const auto next = std::find_if(ggufs.begin(), ggufs.end(), [&](const HubFile& file) {
      const Part other = part_of(file.name);
      return other.stem == part.stem && other.number == number && other.count == part.count;
    });
    if (next == ggufs.end()) {
      return Error(Code::kCorrupt, first.name + ": part " + std::to_string(number) + " of " +
                                       std::to_string(part.count) + " is missing");
    }
    parts.push_back(*next);
  }
  return parts;
}

}  // namespace

Result<std::vector<HubFile>> choose_gguf(const std::vector<HubFile>& ggufs, const HubModel& model) {
  std::vector<HubFile> firsts;
  std::vector<HubFile> meant;
  for (const HubFile& file : ggufs) {
    if (part_of(file.name).number == 1) firsts.push_back(file);
    if (is_meant(file, model.file)) meant.push_back(file);
  }
  if (meant.size() == 1) return all_parts(ggufs, meant.front());
  if (firsts.empty()) {
    return Error(Code::kUnsupported,
                 "has no weights that can be used: neither model.safetensors, nor "
                 "model.safetensors.index.json, nor a .gguf file");
  }
  if (meant.empty() && !model.file.empty()) {
    return Error(Code::kInvalidArgument,
                 "has no file \"" + model.file + "\"; there are " + list_of(firsts));
  }
  return Error(Code::kInvalidArgument,
               "has several files that could be meant: ask for hf:" + model.repository +
                   ":FILE, FILE being one of " + list_of(meant.empty() ? firsts : meant));
}

}  // namespace quintet::net

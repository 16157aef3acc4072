#include "quintet/eval/data_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "quintet/core/file.h"
#include "quintet/io/formats/json.h"

namespace quintet::eval {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 16;
constexpr int64_t kMaxValuesPerLine = 10'000;

// The paths under `key`: a string or a list of strings; none where it is missing.
Result<std::vector<std::filesystem::path>> media_field(const json& object, std::string_view key,
                                                       const std::filesystem::path& folder,
                                                       const DataFileLimits& limits) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::vector<std::filesystem::path>{};
  const std::string subject = "key '" + std::string(key) + "'";
  std::vector<std::string> names;
  if (found->is_array()) {
    QT_TRY(names, io::string_list_field(object, key));
  } else {
    QT_TRY(std::string only, io::string_field(object, key));
    names.push_back(std::move(only));
  }
  if (static_cast<int64_t>(names.size()) > limits.max_media)
    return Error(Code::kExhausted, subject + " has " + std::to_string(names.size()) +
                                       " paths; at most " + std::to_string(limits.max_media) +
                                       " are read");
  std::vector<std::filesystem::path> paths;
  for (const std::string& name : names) {
    if (name.empty() || name.find('\0') != std::string::npos)
      return Error(Code::kCorrupt, subject + ": a path must have letters and no zero byte");
    paths.push_back(folder / name);
  }
  return paths;
}

Error as_fault_of_the_file(const Error& error) {
  const Code code = error.code() == Code::kInvalidArgument ? Code::kCorrupt : error.code();
  return Error(code, error.message());
}

Result<DataItem> item_of(const json& object, const std::filesystem::path& folder,
                         const DataFileLimits& limits) {
  if (!object.is_object())
    return Error(Code::kCorrupt, std::string("expected an object, found ") + object.type_name());
  DataItem item;
  QT_TRY(item.id, io::string_field(object, "id", ""));
  QT_TRY(item.kind, io::string_field(object, "kind", ""));
  QT_TRY(item.language, io::string_field(object, "language", ""));
  QT_TRY(item.audio, media_field(object, "audio", folder, limits));
  QT_TRY(item.images, media_field(object, "image", folder, limits));

  const bool has_text = object.contains("text");
  if (has_text == object.contains("answer"))
    return Error(Code::kCorrupt, has_text ? "has both 'text' and 'answer'; one of them is expected"
                                          : "key 'text' (what is said) or 'answer' is missing");
  if (has_text) {
    item.task = Task::kTranscribe;
    if (item.audio.size() != 1 || !item.images.empty())
      return Error(Code::kCorrupt, "'text' needs one path under 'audio' and nothing under 'image'");
    QT_TRY(item.reference, io::string_field(object, "text"));
  } else {
    QT_TRY(item.prompt, io::string_field(object, "prompt"));
    QT_TRY(item.reference, io::string_field(object, "answer"));
  }
  return item;
}

}  // namespace

Result<std::vector<DataItem>> parse_data_file(std::string_view text, std::string_view name,
                                              const std::filesystem::path& folder,
                                              const DataFileLimits& limits) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<DataItem> items;
  int64_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = std::string(name) + ":" + std::to_string(number);
    if (static_cast<int64_t>(items.size()) == limits.max_items)
      return Error(Code::kExhausted,
                   "more than " + std::to_string(limits.max_items) + " items, the limit")
          .with(where);
    QT_TRY(const json object, io::parse_json(line, where,
                                             {.max_bytes = limits.max_line_bytes,
                                              .max_depth = kMaxDepth,
                                              .max_values = kMaxValuesPerLine}));
    QT_TRY(DataItem item, item_of(object, folder, limits).with(where));
    item.line = number;
    if (item.id.empty()) item.id = std::to_string(number);
    items.push_back(std::move(item));
  }
  if (items.empty())
    return Error(Code::kInvalidArgument,
                 R"(no items; expected lines such as {"audio": "a.wav", "text": "..."})")
        .with(name);
  return items;
}

Result<std::vector<DataItem>> load_data_file(const std::filesystem::path& path,
                                             const DataFileLimits& limits) {
  QT_TRY(const std::string text, read_file(path, limits.max_file_bytes));
  return parse_data_file(text, path.string(), path.parent_path(), limits);
}

Result<std::vector<DataItem>> load_speech_items(const std::filesystem::path& path) {
  auto items = load_data_file(path);
  if (!items) return as_fault_of_the_file(items.error());
  for (const DataItem& item : *items) {
    if (item.task == Task::kTranscribe && item.audio.size() == 1) continue;
    return Error(Code::kUnsupported, path.string() + ": line " + std::to_string(item.line) +
                                         ": a speech model is evaluated on {\"audio\", \"text\"} "
                                         "items with one recording each");
  }
  return items;
}

Error as_data_error(const Error& error, const std::filesystem::path& path, const DataItem& item) {
  return as_fault_of_the_file(error).with(path.string() + ": line " + std::to_string(item.line));
}

std::vector<int64_t> groups_by_media(std::span<const DataItem> items) {
  std::unordered_map<std::string, int64_t> groups;
  std::vector<int64_t> out;
  int64_t next = 0;
  for (const DataItem& item : items) {
    const auto& media = item.images.empty() ? item.audio : item.images;
    if (media.empty()) {
      out.push_back(next++);
      continue;
    }
    const auto [group, is_new] = groups.try_emplace(media.front().string(), next);
    if (is_new) ++next;
    out.push_back(group->second);
  }
  return out;
}

}  // namespace quintet::eval

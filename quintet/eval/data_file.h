// Data files: what to ask a model, and what would be right.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/result.h"

namespace quintet::eval {

enum class Task {
  kTranscribe,  // "text" is what is said in "audio".
  kAnswer,      // "answer" is the right answer to "prompt", about "image" or "audio" or neither.
};

struct DataItem {
  Task task = Task::kAnswer;
  std::string id;                            // "id", else the number of the line.
  std::string kind;                          // "kind", else empty: results are given by kind.
  std::string language;                      // "language", else empty.
  std::vector<std::filesystem::path> audio;  // Relative ones are put behind the file's folder.
  std::vector<std::filesystem::path> images;
  std::string prompt;
  std::string reference;  // "text" or "answer".
  int64_t line = 0;       // From 1.
};

struct DataFileLimits {
  uint64_t max_file_bytes = uint64_t{1} << 30;
  uint64_t max_line_bytes = uint64_t{1} << 20;
  int64_t max_items = 1'000'000;
  int64_t max_media = 64;  // Images or recordings of one item.
};

// JSON lines, an object each:
//   {"audio": path, "text": string}
//   {"image": path or [path, ...], "prompt": string, "answer": string}
// "audio" takes a list as well; "id", "kind" and "language" may stand in each; other keys are not
// read. Empty lines are skipped. Whether the media are there is not checked.
// Errors: kCorrupt or kExhausted, naming line and key; kInvalidArgument where there are no items;
// load_data_file also kNotFound, kIo.
Result<std::vector<DataItem>> parse_data_file(std::string_view text, std::string_view name,
                                              const std::filesystem::path& folder,
                                              const DataFileLimits& limits = {});
Result<std::vector<DataItem>> load_data_file(const std::filesystem::path& path,
                                             const DataFileLimits& limits = {});

// The same for data that a speech model is judged on: one recording and its text in every item.
// Errors also: kUnsupported for other items; kCorrupt instead of kInvalidArgument, because what is
// wrong in a data file is the file's fault, not that of the caller.
Result<std::vector<DataItem>> load_speech_items(const std::filesystem::path& path);

// What went wrong with an item of the file at `path`, naming its line: kCorrupt instead of
// kInvalidArgument, as above.
Error as_data_error(const Error& error, const std::filesystem::path& path, const DataItem& item);

// A number for each item; items about the same first picture or recording share it. What
// bootstrap_interval draws.
std::vector<int64_t> groups_by_media(std::span<const DataItem> items);

}  // namespace quintet::eval

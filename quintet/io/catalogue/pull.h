// Getting a model: download, check, unpack, put in place. At every moment the store holds either no
// model of that name or a complete one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "quintet/core/result.h"
#include "quintet/io/catalogue/catalogue.h"

namespace quintet::io {

enum class PullStage : uint8_t {
  kWaiting,      // Another process pulls into the same store.
  kDownloading,  // `item` is the file that is on its way.
  kUnpacking,    // `item` is the file of the model that is being written and checked.
};

struct PullProgress {
  PullStage stage = PullStage::kDownloading;
  std::string_view item;
  uint64_t done_bytes = 0;   // Over all files of the stage.
  uint64_t total_bytes = 0;  // 0: unknown.
};

struct PullOptions {
  bool force = false;  // Pull again, even if the model is there and whole.
  // Returning false stops with kCancelled; what has been downloaded is kept for the next time.
  std::function<bool(const PullProgress&)> progress;
  const Catalogue* catalogue = nullptr;  // nullptr: the built-in one.
};

struct PullReport {
  std::string name;
  std::filesystem::path path;
  uint64_t bytes = 0;             // Of the installed model.
  uint64_t downloaded_bytes = 0;  // In this call.
  bool already_there = false;
};

// `name` is a name of the catalogue, or "hf:" and what net::parse_hub_model takes. Waits while
// another process pulls.
// Errors: kInvalidArgument (unknown name; no hub address; several files), kCorrupt (a download
// whose SHA-256 is wrong; it is deleted), kExhausted (disk full), kCancelled, and those of the
// network.
Result<PullReport> pull_model(std::string_view name, const PullOptions& options = {});

}  // namespace quintet::io

// The models on this machine: <home>/models/<name>/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/result.h"

namespace quintet::io {

// $QUINTET_HOME, else $XDG_CACHE_HOME/quintet, else ~/.cache/quintet; it need not exist.
// Errors: kInvalidArgument where none of the three is set.
Result<std::filesystem::path> store_home();

// The folder name of a model: "hf:owner/repo" is kept as "owner--repo", "hf:owner/repo:file.gguf"
// as "owner--repo--file.gguf".
std::string store_name(std::string_view model);

// A path that exists is taken as it is; else the installed model of that name.
// Errors: kNotFound, saying how to get it or which names there are.
Result<std::filesystem::path> find_model(std::string_view name_or_path);

struct InstalledModel {
  std::string name;    // As `find_model` takes it.
  std::string source;  // "catalogue", "hf:...", or empty for a folder put there by hand.
  std::filesystem::path path;
  uint64_t bytes = 0;
};

// By name; empty where nothing is installed or the home cannot be read.
std::vector<InstalledModel> installed_models();

}  // namespace quintet::io

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/accuracy.h"
#include "cli/command.h"
#include "cli/output.h"
#include "quintet/io/catalogue/store.h"
#include "quintet/io/formats/gguf_blocks.h"
#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::cli {
namespace {

using json = nlohmann::ordered_json;

// Longer values (configuration, tokenizer) are shown by their length.
constexpr size_t kLongestValue = 200;

// Type and shape of a tensor's values, where they are known, else of its bytes.
struct Described {
  std::string type;
  Shape shape;
};

Described describe(const io::WeightFile& file, const std::string& name) {
  const auto blocks = io::block_tensor(file, name);
  if (blocks && *blocks) {
    return {std::string(io::block_format_info((*blocks)->format).name), (*blocks)->shape};
  }
  const TensorRef& tensor = *file.find(name);
  return {std::string(dtype_name(tensor.dtype)), tensor.shape};
}

json to_json(const std::filesystem::path& path, const io::WeightFile& file) {
  json tensors = json::array();
  for (const auto& [name, tensor] : file.tensors) {
    const Described described = describe(file, name);
    tensors.push_back({{"name", name},
                       {"dtype", described.type},
                       {"shape", described.shape},
                       {"bytes", tensor.bytes.size()}});
  }
  return {{"path", path.string()},
          {"format", file.format},
          {"bytes", file.file_bytes()},
          {"metadata", file.metadata},
          {"tensors", std::move(tensors)}};
}

// On one line, whatever a file brings: control characters only as escapes.
std::string printable(const std::string& text) {
  const bool plain = std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  return plain ? text : io::in_quotes(text);
}

std::string text_of(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// Formats and reasons, layer by layer; nothing where the file does not tell.
void print_layers(const std::string& text) {
  const json layers = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!layers.is_object()) return;
  std::cout << "  layers:\n";
  for (const auto& [name, layer] : layers.items()) {
    std::printf("    %-32s %-5s %s\n", name.c_str(), text_of(layer, "format").c_str(),
                text_of(layer, "reason").c_str());
  }
}

void print_metadata(const io::WeightFile& file) {
  for (const auto& [key, value] : file.metadata) {
    if (key == "layers") {
      print_layers(value);
      continue;
    }
    if (key == "accuracy_check") {
      const auto precision = file.metadata.find("precision");
      const auto check = accuracy_check_from_json(value);
      if (check && precision != file.metadata.end()) {
        print_check(precision->second, *check);
        continue;
      }
    }
    const bool shown = value.size() <= kLongestValue;
    std::cout << "  " << printable(key) << ": "
              << (shown ? printable(value) : "(" + std::to_string(value.size()) + " bytes)")
              << "\n";
  }
}

void print(const std::filesystem::path& path, const io::WeightFile& file) {
  int64_t elements = 0;
  for (const auto& [name, tensor] : file.tensors) {
    elements += element_count(describe(file, name).shape);
  }
  std::cout << path.string() << ": " << file.format << ", " << human_bytes(file.file_bytes())
            << ", " << file.tensors.size() << " tensors, " << elements << " elements\n";
  print_metadata(file);
  for (const auto& [name, tensor] : file.tensors) {
    const Described described = describe(file, name);
    std::printf("  %-52s %-5s %-24s %s\n", printable(name).c_str(), described.type.c_str(),
                shape_string(described.shape).c_str(), human_bytes(tensor.bytes.size()).c_str());
  }
}

int run(const std::string& model, const Globals& globals) {
  const auto path = io::find_model(model);
  if (!path) return fail(path.error());
  const auto file = io::read_weights(*path);
  if (!file) return fail(file.error());
  if (globals.json) {
    std::cout << to_json(*path, *file).dump(2, ' ', false, json::error_handler_t::replace) << "\n";
  } else {
    print(*path, *file);
  }
  return 0;
}

}  // namespace

void add_inspect_command(CLI::App& app, Globals& globals, Action& action) {
  auto* command = app.add_subcommand("inspect", "What a model file holds");
  const auto model = std::make_shared<std::string>();
  command->add_option("PATH", *model, "File, folder or installed model")->required();
  command->callback(
      [model, &globals, &action] { action = [model, &globals] { return run(*model, globals); }; });
}

}  // namespace quintet::cli

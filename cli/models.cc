#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/command.h"
#include "cli/output.h"
#include "quintet/io/catalogue/catalogue.h"
#include "quintet/io/catalogue/store.h"

namespace quintet::cli {
namespace {

struct Row {
  std::string name, description, licence;
  std::string path;    // Empty: not installed.
  uint64_t bytes = 0;  // On the disk, installed.
  uint64_t to_download = 0;
};

// The catalogue in its own order, then what else is installed.
std::vector<Row> rows() {
  std::vector<Row> rows;
  std::vector<io::InstalledModel> installed = io::installed_models();
  for (const io::CatalogueModel& model : io::builtin_catalogue().models) {
    Row row{.name = model.name,
            .description = model.description,
            .licence = model.licence,
            .path = "",
            .bytes = model.installed_bytes(),
            .to_download = model.download_bytes()};
    for (auto it = installed.begin(); it != installed.end(); ++it) {
      if (it->name != model.name) continue;
      row.path = it->path.string();
      row.bytes = it->bytes;
      row.to_download = 0;
      installed.erase(it);
      break;
    }
    rows.push_back(std::move(row));
  }
  for (const io::InstalledModel& model : installed) {
    rows.push_back({.name = model.name,
                    .description = "",
                    .licence = "",
                    .path = model.path.string(),
                    .bytes = model.bytes});
  }
  return rows;
}

void print_json(const std::string& home) {
  nlohmann::json models = nlohmann::json::array();
  for (const Row& row : rows()) {
    models.push_back({{"name", row.name},
                      {"description", row.description},
                      {"licence", row.licence},
                      {"installed", !row.path.empty()},
                      {"path", row.path},
                      {"bytes", row.bytes},
                      {"download_bytes", row.to_download}});
  }
  const nlohmann::json object = {{"home", home}, {"models", std::move(models)}};
  const auto replace = nlohmann::json::error_handler_t::replace;
  std::printf("%s\n", object.dump(-1, ' ', false, replace).c_str());
}

void print_table() {
  for (const Row& row : rows()) {
    const std::string state =
        row.path.empty() ? "download " + human_bytes(row.to_download) : row.path;
    std::printf("%-24s %10s  %-10s %s\n", row.name.c_str(), human_bytes(row.bytes).c_str(),
                row.licence.c_str(), state.c_str());
    if (!row.description.empty()) std::printf("    %s\n", row.description.c_str());
  }
}

}  // namespace

void add_models_command(CLI::App& app, Globals& globals, Action& action) {
  CLI::App* command = app.add_subcommand("models", "List the models: known and installed");
  command->callback([&globals, &action] {
    action = [&globals] {
      const Result<std::filesystem::path> home = io::store_home();
      if (!home) return fail(home.error());
      if (globals.json) {
        print_json(home->string());
      } else {
        print_table();
      }
      return 0;
    };
  });
}

}  // namespace quintet::cli

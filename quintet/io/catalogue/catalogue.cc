#include "quintet/io/catalogue/catalogue.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "quintet/core/check.h"
#include "quintet/io/catalogue/archive.h"

namespace quintet::io {
namespace {

using Json = nlohmann::json;

constexpr char kBuiltin[] =
#include "quintet/io/catalogue/catalogue.inc"
    ;

// A field of a JSON object; every error names it.
class Fields {
 public:
  Fields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {}

  Error wrong(const std::string& key, const std::string& expected) const {
    return Error(Code::kCorrupt, where_ + ": \"" + key + "\" must be " + expected);
  }
  Result<std::string> text(const std::string& key) const {
    const Json* value = find(key);
    if (value == nullptr || !value->is_string()) return wrong(key, "a text");
    return value->get<std::string>();
  }
  Result<std::string> plain_name(const std::string& key) const {
    QT_TRY(std::string name, text(key));
    if (!is_plain_name(name)) return wrong(key, "a plain file name");
    return name;
  }
  Result<std::string> sha256() const {
    QT_TRY(std::string hash, text("sha256"));
    if (hash.size() != 64 || hash.find_first_not_of("0123456789abcdef") != std::string::npos) {
      return wrong("sha256", "64 lower-case hexadecimal digits");
    }
    return hash;
  }
  Result<uint64_t> size(const std::string& key) const {
    const Json* value = find(key);
    if (value == nullptr || !value->is_number_unsigned()) return wrong(key, "a number");
    const auto number = value->get<uint64_t>();
    if (number > (uint64_t{1} << 50)) return wrong(key, "below 2^50");
    return number;
  }
  Result<const Json*> list(const std::string& key) const {
    const Json* value = find(key);
    if (value == nullptr || !value->is_array() || value->empty()) {
      return wrong(key, "a list that is not empty");
    }
    return value;
  }
  Result<const Json*> object(const std::string& key) const {
    const Json* value = find(key);
    if (value == nullptr || !value->is_object()) return wrong(key, "an object");
    return value;
  }
  bool has(const std::string& key) const { return find(key) != nullptr; }

 private:
  const Json* find(const std::string& key) const {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }
  const Json& object_;
  std::string where_;
};

Result<CataloguePackage> parse_package(const Json& json, const std::string& where) {
  const Fields fields(json, where + ", packages");
  CataloguePackage package;
  QT_TRY(package.project, fields.plain_name("project"));
  QT_TRY(package.version, fields.plain_name("version"));
  QT_TRY(package.file, fields.plain_name("file"));
  QT_TRY(package.sha256, fields.sha256());
  QT_TRY(package.bytes, fields.size("bytes"));
  return package;
}

Result<CatalogueFile> parse_file(const Json& json, const std::string& where, size_t packages) {
  const Fields fields(json, where + ", files");
  CatalogueFile file;
  QT_TRY(file.name, fields.plain_name("name"));
  QT_TRY(file.sha256, fields.sha256());
  QT_TRY(file.bytes, fields.size("bytes"));
  QT_TRY(const Json* parts, fields.list("parts"));
  uint64_t sum = 0;
  for (const Json& entry : *parts) {
    const Fields part_fields(entry, where + ", " + file.name);
    CataloguePart part;
    QT_TRY(part.package, part_fields.size("package"));
    if (part.package >= packages) return part_fields.wrong("package", "the index of a package");
    QT_TRY(part.member, part_fields.text("member"));
    if (!is_safe_member(part.member)) return part_fields.wrong("member", "a path in the wheel");
    part.bytes = file.bytes;
    if (parts->size() > 1 || part_fields.has("bytes")) {
      QT_TRY(part.bytes, part_fields.size("bytes"));
    }
    sum += part.bytes;
    file.parts.push_back(std::move(part));
  }
  if (sum != file.bytes) return fields.wrong("bytes", "the sum of its parts");
  return file;
}

Result<CatalogueCheck> parse_check(const Json& json, const std::string& where) {
  const Fields fields(json, where + ", checks");
  CatalogueCheck check;
  QT_TRY(check.precision, fields.plain_name("precision"));
  QT_TRY(const Json* found, fields.object("accuracy_check"));
  check.accuracy_check = found->dump(-1, ' ', false, Json::error_handler_t::replace);
  return check;
}

Result<CatalogueModel> parse_model(const Json& json) {
  CatalogueModel model;
  QT_TRY(model.name, Fields(json, "catalogue").plain_name("name"));
  const std::string where = "catalogue, " + model.name;
  const Fields fields(json, where);
  QT_TRY(model.description, fields.text("description"));
  QT_TRY(model.licence, fields.text("licence"));
  QT_TRY(model.task, fields.text("task"));
  QT_TRY(const Json* packages, fields.list("packages"));
  for (const Json& entry : *packages) {
    QT_TRY(CataloguePackage package, parse_package(entry, where));
    model.packages.push_back(std::move(package));
  }
  QT_TRY(const Json* files, fields.list("files"));
  for (const Json& entry : *files) {
    QT_TRY(CatalogueFile file, parse_file(entry, where, model.packages.size()));
    model.files.push_back(std::move(file));
  }
  if (!fields.has("checks")) return model;
  QT_TRY(const Json* checks, fields.list("checks"));
  for (const Json& entry : *checks) {
    QT_TRY(CatalogueCheck check, parse_check(entry, where));
    model.checks.push_back(std::move(check));
  }
  return model;
}

}  // namespace

uint64_t CatalogueModel::download_bytes() const {
  uint64_t sum = 0;
  for (const CataloguePackage& package : packages) sum += package.bytes;
  return sum;
}

uint64_t CatalogueModel::installed_bytes() const {
  uint64_t sum = 0;
  for (const CatalogueFile& file : files) sum += file.bytes;
  return sum;
}

const CatalogueModel* Catalogue::find(std::string_view name) const {
  const auto found = std::find_if(models.begin(), models.end(),
                                  [&](const CatalogueModel& model) { return model.name == name; });
  return found == models.end() ? nullptr : &*found;
}

std::string Catalogue::names() const {
  std::string names;
  for (const CatalogueModel& model : models) names += (names.empty() ? "" : ", ") + model.name;
  return names;
}

Result<Catalogue> parse_catalogue(std::string_view json) {
  const Json root = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded()) return Error(Code::kCorrupt, "catalogue: not valid JSON");
  QT_TRY(const Json* models, Fields(root, "catalogue").list("models"));
  Catalogue catalogue;
  for (const Json& entry : *models) {
    QT_TRY(CatalogueModel model, parse_model(entry));
    if (catalogue.find(model.name) != nullptr) {
      return Error(Code::kCorrupt, "catalogue: " + model.name + " stands in it twice");
    }
    catalogue.models.push_back(std::move(model));
  }
  return catalogue;
}

const Catalogue& builtin_catalogue() {
  static const Catalogue catalogue = [] {
    Result<Catalogue> parsed = parse_catalogue(kBuiltin);
    QT_CHECK(parsed.has_value());
    return *std::move(parsed);
  }();
  return catalogue;
}

bool is_plain_name(std::string_view name) {
  if (name.empty() || name.size() > 200 || name.front() == '.') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

}  // namespace quintet::io

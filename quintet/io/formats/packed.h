// Quintet's own container (.qnt): tensors that are used where they lie in the mapped file.
// docs/formats/packed.md describes it byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "quintet/core/file.h"
#include "quintet/core/result.h"
#include "quintet/core/tensor.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::io {

// The tensors of a whole file in memory, which must outlive them; `name` stands in front of errors.
// A tensor lies at a multiple of 64 bytes, from 1 MiB on at a multiple of 4096, counted from the
// start of `bytes`. Errors: kUnsupported for a newer version or unknown flags; kCorrupt if the
// header fails its checksum or a length, offset or shape contradicts the format.
Result<WeightFile> parse_packed(std::span<const std::byte> bytes, std::string_view name);

bool looks_packed(const MappedFile& file);
Result<WeightFile> read_packed(const std::shared_ptr<const MappedFile>& file);

struct PackedEntry {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  std::span<const std::byte> bytes;
  // Empty for row-major; otherwise how the bytes are arranged, and dtype and shape must be U8 and
  // [bytes]. Comes back in WeightFile::layouts.
  std::string layout = {};
};

// Writes the tensors in the order given, without a copy in memory. The same entries give the same
// file. Errors: kInvalidArgument for a repeated name, a wrong length or text that is not UTF-8;
// kIo.
Result<void> write_packed(const std::filesystem::path& path,
                          const std::map<std::string, std::string, std::less<>>& metadata,
                          std::span<const PackedEntry> entries);

}  // namespace quintet::io

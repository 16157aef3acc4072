// Hugging Face safetensors: one file, or shards with an index.
// Source: the format's description in the safetensors repository (README, "Format").
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "quintet/core/file.h"
#include "quintet/core/result.h"
#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::io {

// The tensors of a whole file in memory, which must outlive them; `name` stands in front of errors.
// Errors: kCorrupt if a length, offset, shape or name contradicts the format, also where two
// tensors overlap; kUnsupported for an element type that DType does not have.
Result<WeightFile> parse_safetensors(std::span<const std::byte> bytes, std::string_view name);

bool looks_safetensors(const MappedFile& file);
Result<WeightFile> read_safetensors(const std::shared_ptr<const MappedFile>& file);

// A "*.safetensors.index.json" and the shards beside it. Only tensors that the index names are
// kept. Errors also: kCorrupt if a shard's name leaves the folder or a shard lacks a tensor.
bool looks_safetensors_index(const MappedFile& file);
Result<WeightFile> read_safetensors_index(const std::shared_ptr<const MappedFile>& file);

// Writes one file, tensors ordered by size of element and name so that each is aligned.
// Errors: kInvalidArgument for a repeated or impossible name or a wrong length; kIo.
Result<void> write_safetensors(
    const std::filesystem::path& path, std::span<const TensorEntry> entries,
    const std::map<std::string, std::string, std::less<>>& metadata = {});

}  // namespace quintet::io

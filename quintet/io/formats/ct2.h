// CTranslate2's model.bin, binary versions 5 and 6.
// Source: observed files and the writer in the CTranslate2 Python package (specs/model_spec.py).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
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
// Aliases become tensors of their own that share the bytes. A quantised weight is an I8 tensor
// "x/weight" beside an F32 tensor "x/weight_scale" of one number per row: w = stored / scale.
// Errors: kUnsupported for other binary versions and element types; kCorrupt if the file is cut or
// a name, shape or length contradicts the format.
Result<WeightFile> parse_ct2(std::span<const std::byte> bytes, std::string_view name);

bool looks_ct2(const MappedFile& file);
Result<WeightFile> read_ct2(const std::shared_ptr<const MappedFile>& file);

// One more name of a tensor.
struct Ct2Alias {
  std::string alias;
  std::string name;
};

struct Ct2Model {
  std::string spec_name = {};  // The architecture, as CTranslate2 calls it.
  uint32_t spec_revision = 1;
  std::span<const TensorEntry> entries;
  std::span<const Ct2Alias> aliases = {};
};

// Writes binary version 6, tensors in the order given. Errors: kInvalidArgument for repeated names,
// aliases of nothing, and what the format cannot express (element types other than F32, I8, I16,
// I32, F16, BF16; a tensor of 4 GiB or more; names of 65535 bytes or more); kIo.
Result<void> write_ct2(const std::filesystem::path& path, const Ct2Model& model);

}  // namespace quintet::io

// GGUF, the model file of the ggml project, versions 2 and 3, little-endian.
// Source: the description of GGUF in the documentation of the ggml project.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "quintet/core/file.h"
#include "quintet/core/result.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::io {

// The tensors of a whole file in memory, which must outlive them; `name` stands in front of errors.
// Shapes are row-major: the file's dimensions in reverse order. Tensors quantised in blocks have
// dtype U8 and shape [bytes], and a layout like "q4_1 [576, 1536]" (gguf_blocks.h).
// WeightFile::metadata holds scalars and short lists as text for people; gguf_metadata.h has all,
// typed.
// Errors: kUnsupported for other versions and element types; kExhausted past a limit; kCorrupt if
// the file is cut or a count, length, type, offset, alignment, name or shape contradicts the
// format.
Result<WeightFile> parse_gguf(std::span<const std::byte> bytes, std::string_view name);

bool looks_gguf(const MappedFile& file);
// Where the file is the first part of several (NAME-00001-of-00003.gguf), the others beside it are
// read too. Errors also: kInvalidArgument for a later part, kNotFound for a missing one.
Result<WeightFile> read_gguf(const std::shared_ptr<const MappedFile>& file);

}  // namespace quintet::io

// Named tensors from a model file of any known format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/core/file.h"
#include "quintet/core/result.h"
#include "quintet/core/tensor.h"
#include "quintet/core/thread_pool.h"

namespace quintet::io {

// Tensors lie inside the mapped files (several where the model is sharded): no bytes are copied.
// Copies share the mappings, and the tensors are valid while one of the copies lives.
struct WeightFile {
  std::string format;  // "packed", "safetensors", "ct2" or "gguf".
  std::map<std::string, TensorRef, std::less<>> tensors;
  // What the file says about itself: "__metadata__" of safetensors, "spec_name", "spec_revision"
  // and "binary_version" of ct2, free strings in packed files, scalars and short lists of gguf.
  std::map<std::string, std::string, std::less<>> metadata;
  // Packed and gguf files: how the bytes of a tensor are arranged where they are not row-major.
  // Such a tensor has dtype U8 and shape [bytes]; the string also carries its logical shape.
  std::map<std::string, std::string, std::less<>> layouts;
  std::vector<std::shared_ptr<const MappedFile>> files;

  // nullptr where there is no such tensor.
  const TensorRef* find(std::string_view name) const;
  // The same as an error (kNotFound) that names the tensor.
  Result<const TensorRef*> require(std::string_view name) const;
  // Size of the files together.
  uint64_t file_bytes() const;
  // Reads all tensors into memory on huge pages, where they lie from then on, as they lay in the
  // file. Large models run faster so than mapped (docs/decisions/0012), and start later.
  // Errors: kIo. REQUIRES: one file.
  Result<AlignedBytes> read_into_memory(ThreadPool& pool);
  // Gives back the memory that `bytes` take, which lie inside a tensor and are read from the file
  // again where they are touched. Nothing happens to bytes outside the mapped files.
  void release(std::span<const std::byte> bytes) const;
};

// Reads the weights of a model. In a folder the file names of formats.inc are looked for, in that
// order; a file is recognised by its first bytes and its name.
// Errors: kNotFound, kIo; kInvalidArgument where several files of a folder could be meant;
// kUnsupported if no format knows the file; kCorrupt if it contradicts itself.
Result<WeightFile> read_weights(const std::filesystem::path& file_or_folder);

// The elements as float32; stored integers keep their value, booleans give 0 and 1. The bytes need
// no alignment. Errors: kInvalidArgument if the bytes are not the length of the shape.
Result<std::vector<float>> to_f32(const TensorRef& tensor);
// The same for elements of type `dtype` in `bytes`, to `out`.
// REQUIRES: whole elements, and room for as many floats.
void to_f32(DType dtype, std::span<const std::byte> bytes, float* out);

// The value of an integer (or boolean) tensor with one element.
// Errors: kCorrupt if it has another number of elements or is not of integers.
Result<int64_t> scalar_int(const TensorRef& tensor);

}  // namespace quintet::io

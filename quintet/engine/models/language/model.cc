#include "quintet/engine/models/language/model.h"

#include <algorithm>

namespace quintet::language {
namespace {

using kernels::WeightFormat;

int64_t widest_input(const Config& c) { return std::max({c.d_model, c.ffn, c.query_width()}); }

WeightFormat cache_format(const Model& model, const SessionOptions& options) {
  if (options.cache_format) return *options.cache_format;
  return model.packed.precision == Precision::kF32 ? WeightFormat::kF32 : WeightFormat::kBF16;
}

}  // namespace

uint64_t Model::weight_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [name, tensor] : packed.tensors.tensors) bytes += tensor.bytes.size();
  return bytes;
}

Session::Session(const Model& model, ThreadPool& pool, const SessionOptions& options)
    : scratch_(Decoder::kChunkRows,
               Decoder::kChunkRows * nn::padded_width(widest_input(model.config)), pool.threads(),
               widest_input(model.config)),
      runtime_{.pool = pool, .scratch = scratch_, .fuse = !options.baseline},
      decoder_(runtime_, model.config, model.weights,
               {.cache_format = cache_format(model, options),
                .max_cache_bytes = options.max_cache_bytes,
                .reuse_prefixes = options.reuse_prefixes}) {}

}  // namespace quintet::language

// The weights of a model in the layouts that the kernels read, and how they get there.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/core/result.h"
#include "quintet/core/thread_pool.h"
#include "quintet/engine/nn/linear.h"
#include "quintet/engine/nn/output_head.h"
#include "quintet/engine/nn/weight_formats.h"
#include "quintet/engine/precision.h"
#include "quintet/engine/weights/layer_spec.h"
#include "quintet/engine/weights/plan.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::weights {

// Tensors in kernel layouts: made from published weights in memory, or mapped from a packed file.
struct PackedModel {
  Precision precision = Precision::kF32;  // The name that stands for the whole.
  Plan plan;
  io::WeightFile tensors;
  AlignedBytes memory;  // What the tensors point into, unless they are mapped.
};

// The tensors that hold layer `spec` whose matrix, if it is one, has `format`: of a matrix those of
// nn::stored_tensors, of an output head those of nn::stored_head_tensors, of a norm gamma, or the
// table; then the bias or beta, if there is one.
std::vector<nn::StoredTensor> layer_tensors(const LayerSpec& spec, kernels::WeightFormat format);

// Packs the published weights of `source` as `plan` says, without ever holding more than some rows
// of a layer in float32. Pages of the source that are done with are given back.
// REQUIRES: the plan has an entry for every matrix of `specs`.
// Errors: as PublishedLayer::open.
Result<PackedModel> pack_model(const io::WeightFile& source, std::span<const LayerSpec> specs,
                               Precision precision, Plan plan, ThreadPool& pool);

// Finds the layers of `specs` among the tensors of `model`; remembers the first tensor that is not
// as it must be. Names of layers are `prefix` and `name`, of which traces keep `name`: a literal.
class Binder {
 public:
  Binder(const PackedModel& model, std::span<const LayerSpec> specs);

  nn::Linear linear(const std::string& prefix, const char* name);
  nn::OutputHead head(const std::string& prefix, const char* name);
  nn::Norm norm(const std::string& prefix, const char* name);
  kernels::PackedWeights lookup(const std::string& name);
  const float* table(const std::string& name);

  // kCorrupt: a tensor is missing or has a shape that does not follow from the configuration.
  const std::optional<Error>& error() const { return error_; }

 private:
  kernels::WeightFormat format_of(const LayerSpec& spec) const;
  const LayerSpec& find_spec(const std::string& name) const;
  std::vector<const std::byte*> find_tensors(const LayerSpec& spec);
  void check(const nn::StoredTensor& expected, const TensorRef* tensor);

  const PackedModel& model_;
  std::map<std::string, LayerSpec> specs_;
  std::optional<Error> error_;
};

}  // namespace quintet::weights

#include "quintet/engine/models/language/families.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace quintet::language {
namespace {

constexpr auto kFamilies = std::to_array<Family>({
#include "quintet/engine/models/language/families.inc"
});

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family* find_family(std::string_view model_type) {
  const auto found = std::ranges::find(kFamilies, model_type, &Family::model_type);
  return found == kFamilies.end() ? nullptr : &*found;
}

const Family* find_gguf_family(std::string_view architecture) {
  const auto found = std::ranges::find(kFamilies, architecture, &Family::gguf);
  return found == kFamilies.end() ? nullptr : &*found;
}

void apply_family(const Family& family, Config& config) {
  config.family = family.model_type;
  config.qkv_bias |= family.qkv_bias;
  config.qk_norm = family.qk_norm;
  config.sandwich_norms = family.sandwich_norms;
  config.offset_norms = family.offset_norms;
  config.fused_projections = family.fused_projections;
  config.activation = family.activation;
  if (family.scaled_embedding) {
    config.embedding_scale = std::sqrt(static_cast<float>(config.d_model));
  }
}

}  // namespace quintet::language

// A model file in which the input changes tensors: dropped, of another type or shape, cut short.
// Four bytes to a change.
#include <cstddef>
#include <cstdint>
#include <string>

#include "quintet/core/check.h"
#include "quintet/engine/models/silero/test_weights.h"
#include "quintet/engine/models/silero/weights.h"

namespace quintet::silero {
namespace {

void change(io::WeightFile& file, const uint8_t* bytes) {
  const auto& specs = tensor_specs();
  const std::string name(specs[bytes[0] % specs.size()].name);
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) return;
  TensorRef& tensor = found->second;
  switch (bytes[1] % 4) {
    case 0: file.tensors.erase(found); break;
    case 1: tensor.dtype = static_cast<DType>(bytes[2] % 10); break;
    case 2: tensor.shape[bytes[2] % tensor.shape.size()] = bytes[3]; break;
    default: tensor.bytes = tensor.bytes.first(tensor.bytes.size() * bytes[2] / 255); break;
  }
}

}  // namespace
}  // namespace quintet::silero

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quintet::silero;
  static testing::RandomFile random(1);
  quintet::io::WeightFile file = random.file();
  for (size_t i = 0; i + 4 <= size && i < 64; i += 4) change(file, data + i);
  const auto weights = read_weights(file);
  if (!weights) {
    QT_CHECK(!weights.error().message().empty());
    QT_CHECK(weights.error().message().find('\n') == std::string::npos);
  } else {
    QT_CHECK_EQ(weights->gates.weights.n, 4 * kHidden);
  }
  return 0;
}

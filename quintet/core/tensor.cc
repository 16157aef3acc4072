#include "quintet/core/tensor.h"

#include <limits>

namespace quintet {

std::string shape_string(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

int64_t element_count(const Shape& shape) {
  int64_t count = 1;
  for (const int64_t dimension : shape) {
    if (dimension < 0) return -1;
    if (dimension != 0 && count > std::numeric_limits<int64_t>::max() / dimension) return -1;
    count *= dimension;
  }
  return count;
}

}  // namespace quintet

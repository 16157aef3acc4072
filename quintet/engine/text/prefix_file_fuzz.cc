// The input is everything before the checksum, which is made to fit.
#include <cstring>
#include <string>
#include <string_view>

#include "quintet/core/check.h"
#include "quintet/engine/text/prefix_file.h"
#include "quintet/io/catalogue/sha256.h"

namespace {

using quintet::nn::KeyValuePages;
using quintet::nn::PrefixTree;

KeyValuePages make_cache() {
  const quintet::nn::KeyValueShape shape = {quintet::kernels::WeightFormat::kF32, 1, 1, 1};
  return {shape, 3 * KeyValuePages(shape, 0).page_bytes()};
}

void parse_and_keep(std::string_view bytes) {
  KeyValuePages cache = make_cache();
  PrefixTree tree(cache);
  const auto pages =
      quintet::text::parse_prefixes(std::as_bytes(std::span(bytes)), cache, std::string(64, 'f'));
  if (!pages) return;
  const int64_t added = quintet::text::add_prefixes(*pages, tree, cache);
  QT_CHECK_LE(added, std::ssize(*pages));
  QT_CHECK_LE(tree.size(), added);
  while (tree.evict_one()) {
  }
  QT_CHECK_EQ(cache.free_pages(), cache.max_pages());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  parse_and_keep(bytes);
  quintet::io::Sha256 hash;
  hash.add(std::as_bytes(std::span(bytes)));
  parse_and_keep(bytes + hash.finish());
  return 0;
}

#include "quintet/engine/text/prefix_file.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "quintet/core/cpu.h"
#include "quintet/core/file.h"
#include "quintet/engine/weights/plan.h"
#include "quintet/io/catalogue/sha256.h"
#include "quintet/io/formats/byte_cursor.h"

namespace quintet::text {
namespace {

using kernels::WeightFormat;
using nn::KeyValuePages;

constexpr std::string_view kMagic = "QNTPREFX";
constexpr uint32_t kVersion = 1;
constexpr size_t kDigestBytes = 64;

// Samples of each tensor for the fingerprint.
constexpr size_t kSamples = 64;
constexpr size_t kSampleBytes = 64;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <typename T>
void append(std::string& to, T number) {
  for (size_t i = 0; i < sizeof(T); ++i) {
    to.push_back(static_cast<char>(static_cast<uint64_t>(number) >> (8 * i) & 0xff));
  }
}

uint32_t number_of(WeightFormat format) {
  switch (format) {
    case WeightFormat::kBF16: return 1;
    case WeightFormat::kI8: return 2;
    default: return 0;
  }
}

// Everything that the cache at hand has to have in common with the file, version and magic first.
std::string description(const KeyValuePages& cache) {
  const nn::KeyValueShape& shape = cache.shape();
  std::string text(kMagic);
  append<uint32_t>(text, kVersion);
  append(text, number_of(shape.format));
  append(text, static_cast<uint64_t>(shape.layers));
  append(text, static_cast<uint64_t>(shape.heads));
  append(text, static_cast<uint64_t>(shape.head_dim));
  append(text, static_cast<uint64_t>(cache.page_bytes()));
  return text;
}

Result<void> check_description(io::ByteCursor& cursor, const KeyValuePages& cache,
                               const std::string& fingerprint) {
  const auto magic = cursor.take(kMagic.size());
  if (!magic || text_of(*magic) != kMagic) {
    return Error(Code::kCorrupt, "is not a prompt cache of Quintet");
  }
  QT_TRY(const auto version, cursor.number<uint32_t>());
  if (version != kVersion) {
    return Error(Code::kUnsupported, "is a prompt cache of version " + std::to_string(version) +
                                         ", expected " + std::to_string(kVersion));
  }
  const std::string expected = description(cache).substr(kMagic.size() + sizeof version);
  QT_TRY(const auto found, cursor.take(expected.size()));
  QT_TRY(const auto made_by, cursor.take(kDigestBytes));
  if (text_of(found) == expected && text_of(made_by) == fingerprint) return {};
  return Error(Code::kInvalidArgument,
               "was made by another model, precision or instruction set; name another file, or "
               "delete it");
}

Result<StoredPage> parse_page(io::ByteCursor& cursor, size_t page_bytes, int32_t number) {
  StoredPage page;
  QT_TRY(page.parent, cursor.number<int32_t>());
  if (page.parent < -1 || page.parent >= number) {
    return Error(Code::kCorrupt, "page " + std::to_string(number) + " stands behind page " +
                                     std::to_string(page.parent));
  }
  for (int64_t i = 0; i < KeyValuePages::kTokens; ++i) {
    QT_TRY(const auto token, cursor.number<int32_t>());
    page.tokens.push_back(token);
  }
  QT_TRY(page.data, cursor.take(page_bytes));
  return page;
}

}  // namespace

std::string prefix_fingerprint(const language::Model& model, bool baseline) {
  io::Sha256 hash;
  hash.add(bytes_of(isa_name(active_isa())));
  hash.add(bytes_of(baseline ? " baseline " : " fused "));
  hash.add(bytes_of(language::config_to_json(model.config)));
  hash.add(bytes_of(weights::plan_to_json(model.packed.plan)));
  for (const auto& [name, tensor] : model.packed.tensors.tensors) {
    std::string size = name + " ";
    append(size, static_cast<uint64_t>(tensor.bytes.size()));
    hash.add(bytes_of(size));
    const size_t step = std::max(kSampleBytes, tensor.bytes.size() / kSamples);
    for (size_t at = 0; at < tensor.bytes.size(); at += step) {
      hash.add(tensor.bytes.subspan(at, std::min(kSampleBytes, tensor.bytes.size() - at)));
    }
  }
  return hash.finish();
}

Result<void> write_prefixes(const std::filesystem::path& file, const nn::PrefixTree& tree,
                            const nn::KeyValuePages& cache, const std::string& fingerprint) {
  return write_file_atomically(file, [&](const ByteSink& sink) -> Result<void> {
    io::Sha256 hash;
    Result<void> written;
    const auto put = [&](std::span<const std::byte> bytes) {
      if (!written) return;
      hash.add(bytes);
      written = sink(bytes);
    };
    std::string head = description(cache);
    head += fingerprint;
    append(head, static_cast<uint64_t>(tree.size()));
    put(bytes_of(head));
    std::map<int32_t, int32_t> numbers = {{nn::PrefixTree::kRoot, -1}};
    tree.for_each([&](int32_t node, int32_t parent, std::span<const int32_t> tokens, int32_t page) {
      const auto number = static_cast<int32_t>(numbers.size()) - 1;
      std::string entry;
      append(entry, numbers.at(parent));
      for (const int32_t token : tokens) append(entry, token);
      put(bytes_of(entry));
      put({cache.page_data(page), cache.page_bytes()});
      numbers.emplace(node, number);
    });
    QT_TRY_VOID(std::move(written));
    return sink(bytes_of(hash.finish()));
  });
}

Result<std::vector<StoredPage>> parse_prefixes(std::span<const std::byte> bytes,
                                               const nn::KeyValuePages& cache,
                                               const std::string& fingerprint) {
  io::ByteCursor cursor(bytes);
  QT_TRY_VOID(check_description(cursor, cache, fingerprint));
  QT_TRY(const auto count, cursor.number<uint64_t>());
  const uint64_t each = sizeof(int32_t) * (1 + KeyValuePages::kTokens) + cache.page_bytes();
  if (count > cursor.left() / each || cursor.left() != count * each + kDigestBytes) {
    return Error(Code::kCorrupt, "is cut: its " + std::to_string(bytes.size()) +
                                     " bytes are not those of " + std::to_string(count) + " pages");
  }
  io::Sha256 hash;
  hash.add(bytes.first(bytes.size() - kDigestBytes));
  if (hash.finish() != text_of(bytes.last(kDigestBytes))) {
    return Error(Code::kCorrupt, "is damaged: its checksum does not fit; delete it");
  }
  std::vector<StoredPage> pages;
  for (uint64_t i = 0; i < count; ++i) {
    QT_TRY(StoredPage page, parse_page(cursor, cache.page_bytes(), static_cast<int32_t>(i)));
    pages.push_back(std::move(page));
  }
  return pages;
}

int64_t add_prefixes(std::span<const StoredPage> pages, nn::PrefixTree& tree,
                     nn::KeyValuePages& cache) {
  std::vector<int32_t> nodes;
  for (const StoredPage& stored : pages) {
    const auto page = cache.take();
    if (!page) break;
    std::ranges::copy(stored.data, cache.page_data(*page));
    const int32_t parent =
        stored.parent < 0 ? nn::PrefixTree::kRoot : nodes[static_cast<size_t>(stored.parent)];
    const auto added = tree.add(parent, stored.tokens, *page);
    cache.drop(added.page);
    nodes.push_back(added.node);
  }
  return std::ssize(nodes);
}

}  // namespace quintet::text

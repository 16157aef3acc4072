#define PCRE2_CODE_UNIT_WIDTH 8
#include "quintet/io/tokenizers/split_pattern.h"

#include <pcre2.h>

#include <algorithm>
#include <array>
#include <string>

#include "quintet/core/check.h"
#include "quintet/io/tokenizers/unicode.h"

namespace quintet::io {
namespace {

// Patterns in use are below 500 bytes.
constexpr size_t kMaxPatternBytes = 8192;
// Steps of one match attempt. The patterns in use take a step or two a character of white space,
// and fewer elsewhere: beyond a run of 25,000 spaces a text is split otherwise than elsewhere.
constexpr uint32_t kMatchLimit = 50'000;
constexpr uint32_t kDepthLimit = 10'000;
constexpr uint32_t kHeapLimitKib = 16'384;
// After an attempt that ran into a limit, matching goes on this far behind it, and twice as far
// after each further one: there are few of them, however long the text.
constexpr size_t kFirstSkipBytes = 1024;

template <auto free_function>
struct Free {
  template <typename T>
  void operator()(T* p) const {
    free_function(p);
  }
};
using Code = std::unique_ptr<pcre2_code, Free<&pcre2_code_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Free<&pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Free<&pcre2_match_context_free>>;

size_t next_character(std::string_view text, size_t at) {
  return at + std::max<size_t>(1, code_point_at(text, at).bytes);
}

}  // namespace

struct SplitPattern::Compiled {
  Code code;
  MatchContext context;
};

struct SplitPattern::Section {
  size_t begin;
  size_t end;
  bool is_match;
};

SplitPattern::SplitPattern(std::unique_ptr<const Compiled> compiled, Options options)
    : compiled_(std::move(compiled)), options_(options) {}
SplitPattern::SplitPattern(SplitPattern&&) noexcept = default;
SplitPattern& SplitPattern::operator=(SplitPattern&&) noexcept = default;
SplitPattern::~SplitPattern() = default;

Result<SplitPattern> SplitPattern::compile(std::string_view pattern, Options options) {
  if (pattern.size() > kMaxPatternBytes)
    return Error(quintet::Code::kExhausted, "the pattern has " + std::to_string(pattern.size()) +
                                                " bytes; at most " +
                                                std::to_string(kMaxPatternBytes) + " are read");
  uint32_t flags = PCRE2_UTF;
  flags |= options.syntax == PatternSyntax::kLiteral ? PCRE2_LITERAL
                                                     : PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
  int error = 0;
  PCRE2_SIZE where = 0;
  Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), flags,
                          &error, &where, nullptr));
  if (!code) {
    std::array<PCRE2_UCHAR, 256> text{};
    pcre2_get_error_message(error, text.data(), text.size());
    return Error(quintet::Code::kUnsupported, "the pattern does not compile at byte " +
                                                  std::to_string(where) + ": " +
                                                  reinterpret_cast<const char*>(text.data()));
  }
  // Without JIT (not built in, no executable memory) the interpreter does the same, slower.
  static_cast<void>(pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE));

  MatchContext context(pcre2_match_context_create(nullptr));
  QT_CHECK(context != nullptr);
  pcre2_set_match_limit(context.get(), kMatchLimit);
  pcre2_set_depth_limit(context.get(), kDepthLimit);
  pcre2_set_heap_limit(context.get(), kHeapLimitKib);
  return SplitPattern(
      std::make_unique<const Compiled>(Compiled{std::move(code), std::move(context)}), options);
}

// Matches and what lies between them; together the whole text. An empty match is an empty section:
// it separates what is beside it.
std::vector<SplitPattern::Section> SplitPattern::sections(std::string_view text) const {
  const MatchData data(pcre2_match_data_create_from_pattern(compiled_->code.get(), nullptr));
  QT_CHECK(data != nullptr);
  const PCRE2_SIZE* span = pcre2_get_ovector_pointer(data.get());

  std::vector<Section> out;
  size_t done = 0;  // Sections reach to here.
  size_t at = 0;    // Matching goes on here.
  size_t skip = kFirstSkipBytes;
  while (at <= text.size()) {
    const auto match = [&](uint32_t flags) {
      return pcre2_match(compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                         text.size(), at, PCRE2_NO_UTF_CHECK | flags, data.get(),
                         compiled_->context.get());
    };
    int count = match(0);
    if (count == PCRE2_ERROR_JIT_STACKLIMIT) count = match(PCRE2_NO_JIT);
    if (count == PCRE2_ERROR_NOMATCH) break;
    // \K can move the start of a match behind its end or before the last one.
    if (count < 0 || span[1] < span[0] || span[0] < done) {
      if (text.size() - at <= skip) break;
      at += skip;
      skip *= 2;
      while (code_point_at(text, at).bytes == 0 && at < text.size()) ++at;
      continue;
    }
    if (span[0] > done) out.push_back({done, span[0], options_.invert});
    out.push_back({span[0], span[1], !options_.invert});
    done = span[1];
    at = span[1] > span[0] ? span[1] : next_character(text, span[1]);
  }
  if (done < text.size()) out.push_back({done, text.size(), options_.invert});
  return out;
}

std::vector<std::string_view> SplitPattern::split(std::string_view text) const {
  if (text.empty()) return {};
  const std::vector<Section> all = sections(text);
  std::vector<Section> pieces;
  for (size_t i = 0; i < all.size(); ++i) {
    const Section& section = all[i];
    const bool after_match = i > 0 && all[i - 1].is_match;
    bool join = false;
    switch (options_.behavior) {
      case SplitBehavior::kRemoved:
        if (section.is_match) continue;
        break;
      case SplitBehavior::kIsolated: break;
      case SplitBehavior::kMergedWithPrevious: join = section.is_match && !after_match; break;
      case SplitBehavior::kMergedWithNext: join = !section.is_match && after_match; break;
      case SplitBehavior::kContiguous: join = i > 0 && section.is_match == after_match; break;
    }
    if (join && !pieces.empty())
      pieces.back().end = section.end;
    else
      pieces.push_back(section);
  }

  std::vector<std::string_view> out;
  out.reserve(pieces.size());
  for (const Section& piece : pieces)
    if (piece.end > piece.begin) out.push_back(text.substr(piece.begin, piece.end - piece.begin));
  return out;
}

std::string SplitPattern::replaced(std::string_view text, std::string_view content) const {
  std::string out;
  for (const Section& section : sections(text))
    out += section.is_match ? content : text.substr(section.begin, section.end - section.begin);
  return out;
}

}  // namespace quintet::io

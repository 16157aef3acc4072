#include "quintet/engine/speech/word_alignment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "quintet/kernels/softmax/softmax.h"

namespace quintet::speech {
namespace {

constexpr double kSecondsPerPosition = 0.02;  // Two mel frames of 10 ms.
constexpr size_t kAroundText = 5;             // Start, language, task, no timestamps, end.
constexpr int64_t kMedianWidth = 7;           // The reference's smoothing along time.

// Sums of cross-attention weights of the alignment heads, one matrix [tokens, positions] per head.
struct HeadWeights {
  int64_t layer;
  int64_t head;
  std::vector<float> weights;
};

std::vector<HeadWeights> alignment_heads(const whisper::Model& model, int64_t tokens,
                                         int64_t positions) {
  std::vector<HeadWeights> heads;
  const auto size = static_cast<size_t>(tokens * positions);
  for (const whisper::AlignmentHead& head : model.generation.alignment_heads) {
    if (head.layer < 0 || head.layer >= model.config.decoder_layers || head.head < 0 ||
        head.head >= model.config.decoder_heads) {
      continue;
    }
    heads.push_back({head.layer, head.head, std::vector<float>(size)});
  }
  if (!heads.empty()) return heads;
  for (int64_t l = model.config.decoder_layers / 2; l < model.config.decoder_layers; ++l) {
    for (int64_t h = 0; h < model.config.decoder_heads; ++h) {
      heads.push_back({l, h, std::vector<float>(size)});
    }
  }
  return heads;
}

// Each row sums to 1 over the positions that hold audio.
void normalize_rows(std::vector<float>& w, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) {
    float* row = w.data() + r * columns;
    float sum = 0;
    for (int64_t c = 0; c < columns; ++c) sum += row[c];
    for (int64_t c = 0; c < columns; ++c) row[c] /= std::max(sum, 1e-20f);
  }
}

// Each column to mean 0 and deviation 1: which token hears this moment more than the others do.
void standardize_columns(std::vector<float>& w, int64_t rows, int64_t columns) {
  for (int64_t c = 0; c < columns; ++c) {
    double sum = 0;
    double squares = 0;
    for (int64_t r = 0; r < rows; ++r)
      sum += static_cast<double>(w[static_cast<size_t>(r * columns + c)]);
    const double mean = sum / static_cast<double>(rows);
    for (int64_t r = 0; r < rows; ++r) {
      const double d = static_cast<double>(w[static_cast<size_t>(r * columns + c)]) - mean;
      squares += d * d;
    }
    const double deviation = std::sqrt(squares / static_cast<double>(rows));
    for (int64_t r = 0; r < rows; ++r) {
      float& value = w[static_cast<size_t>(r * columns + c)];
      value = static_cast<float>((static_cast<double>(value) - mean) / std::max(deviation, 1e-12));
    }
  }
}

// Running median along each row, reflected at its ends.
void median_filter(std::vector<float>& w, int64_t rows, int64_t columns) {
  constexpr int64_t kHalf = kMedianWidth / 2;
  if (columns <= kHalf) return;
  std::vector<float> padded(static_cast<size_t>(columns + 2 * kHalf));
  std::array<float, kMedianWidth> around;
  for (int64_t r = 0; r < rows; ++r) {
    float* row = w.data() + r * columns;
    for (int64_t c = -kHalf; c < columns + kHalf; ++c) {
      const int64_t inside = c < 0 ? -c : c >= columns ? 2 * (columns - 1) - c : c;
      padded[static_cast<size_t>(c + kHalf)] = row[inside];
    }
    for (int64_t c = 0; c < columns; ++c) {
      std::copy_n(padded.begin() + c, kMedianWidth, around.begin());
      std::nth_element(around.begin(), around.begin() + kHalf, around.end());
      row[c] = around[kHalf];
    }
  }
}

struct Alignment {
  std::vector<double> token_start;  // Seconds within the window; one more than tokens.
  std::vector<float> token_probability;
};

Alignment align_tokens(const whisper::EncodedWindow& window, const whisper::Model& model,
                       const Vocabulary& v, const Language& language, Task task,
                       const std::vector<int32_t>& text, double length_seconds) {
  std::vector<int32_t> tokens;
  tokens.reserve(text.size() + kAroundText);
  tokens.push_back(v.start);
  if (v.multilingual) {
    tokens.push_back(language.token);
    tokens.push_back(task == Task::kTranslate ? v.translate : v.transcribe);
  }
  tokens.push_back(v.no_timestamps);
  const auto prefix = static_cast<int64_t>(tokens.size());
  tokens.insert(tokens.end(), text.begin(), text.end());
  tokens.push_back(v.end_of_text);

  const auto count = static_cast<int64_t>(tokens.size());
  const int64_t positions = std::clamp<int64_t>(std::llround(length_seconds / kSecondsPerPosition),
                                                1, model.config.audio_positions);
  std::vector<HeadWeights> heads = alignment_heads(model, count, positions);
  // Row i of the logits predicts token i + 1: from the last of the prefix on, the text.
  const auto rows = static_cast<int64_t>(text.size()) + 2;
  const int64_t vocabulary = model.config.vocabulary;
  std::vector<float> logits(static_cast<size_t>(rows * vocabulary));
  const decode::Sequence sequence = window.begin();
  std::vector<decode::StepRow> steps;
  for (int64_t i = 0; i < count; ++i) {
    steps.push_back({.sequence = sequence.id(),
                     .token = tokens[static_cast<size_t>(i)],
                     .wants_logits = i >= count - rows});
  }
  window.decoder().forward_observed(
      steps, matrix(logits.data(), rows, vocabulary),
      [&](int64_t layer, int64_t head, int64_t first, MatrixView<const float> weights) {
        for (HeadWeights& wanted : heads) {
          if (wanted.layer != layer || wanted.head != head) continue;
          for (int64_t r = 0; r < weights.rows; ++r) {
            std::copy_n(weights.row(r), positions, wanted.weights.data() + (first + r) * positions);
          }
        }
      });

  // Mean over the heads of what each token hears; rows of the text and of the end.
  const int64_t text_rows = rows - 1;
  std::vector<float> cost(static_cast<size_t>(text_rows * positions));
  for (HeadWeights& head : heads) {
    normalize_rows(head.weights, count, positions);
    standardize_columns(head.weights, count, positions);
    median_filter(head.weights, count, positions);
    for (int64_t i = 0; i < text_rows * positions; ++i) {
      cost[static_cast<size_t>(i)] -= head.weights[static_cast<size_t>(prefix * positions + i)] /
                                      static_cast<float>(heads.size());
    }
  }
  Alignment alignment;
  for (const int64_t column : first_columns_of_best_path(cost, text_rows, positions)) {
    alignment.token_start.push_back(static_cast<double>(column) * kSecondsPerPosition);
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const float* row = logits.data() + static_cast<int64_t>(i) * vocabulary;
    alignment.token_probability.push_back(
        std::exp(row[text[i]] - kernels::log_sum_exp(row, v.end_of_text)));
  }
  return alignment;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> set) {
  return std::find(set.begin(), set.end(), text) != set.end();
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(' ');
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

bool opens(std::string_view word) {
  return word.starts_with(' ') &&
         is_one_of(trimmed(word), {"\"", "'", "“", "¿", "(", "[", "{", "-"});
}

bool closes(std::string_view word) {
  return is_one_of(word, {"\"", "'", ".", "。", ",", "，", "!", "！", "?",   "？", ":",
                          "：", "”", ")", "]",  "}", "、", "%", ";",  "...", "…"});
}

// Punctuation belongs to the word that it opens or closes.
void merge_punctuation(std::vector<Word>& words) {
  for (size_t i = words.size(); i-- > 1;) {
    if (!opens(words[i - 1].text)) continue;
    words[i].text.insert(0, words[i - 1].text);
    words.erase(words.begin() + static_cast<int64_t>(i) - 1);
  }
  for (size_t i = 1; i < words.size();) {
    if (closes(words[i].text)) {
      words[i - 1].text += words[i].text;
      words.erase(words.begin() + static_cast<int64_t>(i));
    } else {
      ++i;
    }
  }
}

bool ends_sentence(std::string_view word) {
  return word.ends_with('.') || word.ends_with('!') || word.ends_with('?');
}

// A word that swallowed the pause beside it is cut to twice the usual length.
void shorten_long_words(std::vector<Word>& words) {
  std::vector<double> lengths;
  for (const Word& word : words) {
    if (word.end_seconds > word.start_seconds) {
      lengths.push_back(word.end_seconds - word.start_seconds);
    }
  }
  if (lengths.empty()) return;
  const auto middle = lengths.begin() + static_cast<int64_t>(lengths.size() / 2);
  std::nth_element(lengths.begin(), middle, lengths.end());
  constexpr double kLongestUsual = 0.7;
  const double most = 2 * std::min(*middle, kLongestUsual);
  for (size_t i = 0; i < words.size(); ++i) {
    Word& word = words[i];
    if (word.end_seconds - word.start_seconds <= most) continue;
    const bool begins = i == 0 || ends_sentence(words[i - 1].text);
    if (begins) {
      word.start_seconds = word.end_seconds - most;
    } else {
      word.end_seconds = word.start_seconds + most;
    }
  }
}

// Whether more bytes could complete the last character. Bytes that are no text at all cannot be
// completed and must not hold back what follows them.
bool ends_inside_character(std::string_view text) {
  size_t lead = text.size();
  while (lead > 0 && text.size() - lead < 4) {
    const auto byte = static_cast<unsigned char>(text[--lead]);
    if ((byte & 0xc0) == 0x80) continue;
    const size_t length = byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : byte < 0xf8 ? 4 : 1;
    return text.size() - lead < length;
  }
  return false;
}

}  // namespace

std::vector<int64_t> first_columns_of_best_path(const std::vector<float>& cost, int64_t rows,
                                                int64_t columns) {
  enum Step : uint8_t { kDiagonal, kUp, kLeft };
  const int64_t width = columns + 1;
  std::vector<Step> steps(static_cast<size_t>((rows + 1) * width), kLeft);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> above(static_cast<size_t>(width), kInfinity);
  std::vector<float> current(static_cast<size_t>(width));
  above[0] = 0;
  for (int64_t r = 1; r <= rows; ++r) {
    current[0] = kInfinity;
    for (int64_t c = 1; c <= columns; ++c) {
      const auto i = static_cast<size_t>(c);
      Step step = kLeft;
      float best = current[i - 1];
      if (above[i] < best) {
        best = above[i];
        step = kUp;
      }
      if (above[i - 1] <= best) {
        best = above[i - 1];
        step = kDiagonal;
      }
      current[i] = best + cost[static_cast<size_t>((r - 1) * columns + c - 1)];
      steps[static_cast<size_t>(r * width + c)] = step;
    }
    std::swap(above, current);
  }
  std::vector<int64_t> first(static_cast<size_t>(rows), 0);
  int64_t r = rows;
  int64_t c = columns;
  while (r > 0 && c > 0) {
    first[static_cast<size_t>(r - 1)] = c - 1;
    const Step step = steps[static_cast<size_t>(r * width + c)];
    if (step != kLeft) --r;
    if (step != kUp) --c;
  }
  return first;
}

std::vector<TokenGroup> split_words(const std::vector<int32_t>& tokens,
                                    const io::BpeTokenizer& tokenizer, std::string_view language) {
  // First whole characters: a token may end inside one.
  std::vector<TokenGroup> pieces;
  TokenGroup piece;
  for (const int32_t token : tokens) {
    piece.tokens.push_back(token);
    piece.text += tokenizer.token_bytes(token);
    if (ends_inside_character(piece.text)) continue;
    pieces.push_back(std::move(piece));
    piece = {};
  }
  if (!piece.tokens.empty()) pieces.push_back(std::move(piece));
  if (is_one_of(language, {"zh", "ja", "th", "lo", "my", "yue"})) return pieces;

  std::vector<TokenGroup> words;
  for (TokenGroup& p : pieces) {
    const bool punctuation =
        p.text.size() == 1 && std::ispunct(static_cast<unsigned char>(p.text[0])) != 0;
    if (words.empty() || p.text.starts_with(' ') || punctuation) {
      words.push_back(std::move(p));
      continue;
    }
    words.back().text += p.text;
    words.back().tokens.insert(words.back().tokens.end(), p.tokens.begin(), p.tokens.end());
  }
  return words;
}

void align_words(const whisper::EncodedWindow& window, const whisper::Model& model,
                 const Vocabulary& v, const Language& language, Task task, double begin_seconds,
                 double length_seconds, std::vector<Segment>& segments) {
  std::vector<int32_t> text;
  for (const Segment& segment : segments) {
    std::copy_if(segment.tokens.begin(), segment.tokens.end(), std::back_inserter(text),
                 [&](int32_t token) { return v.is_text(token); });
  }
  if (text.empty() ||
      text.size() + kAroundText > static_cast<size_t>(model.config.text_positions)) {
    return;
  }
  const Alignment alignment = align_tokens(window, model, v, language, task, text, length_seconds);
  size_t next = 0;
  for (Segment& segment : segments) {
    std::vector<int32_t> tokens;
    std::copy_if(segment.tokens.begin(), segment.tokens.end(), std::back_inserter(tokens),
                 [&](int32_t token) { return v.is_text(token); });
    for (const TokenGroup& group : split_words(tokens, *model.tokenizer, language.code)) {
      const size_t end = next + group.tokens.size();
      float probability = 0;
      for (size_t i = next; i < end; ++i) probability += alignment.token_probability[i];
      segment.words.push_back(
          {.text = group.text,
           .start_seconds = begin_seconds + alignment.token_start[next],
           .end_seconds = begin_seconds + alignment.token_start[end],
           .probability = probability / static_cast<float>(group.tokens.size())});
      next = end;
    }
    merge_punctuation(segment.words);
    shorten_long_words(segment.words);
  }
}

}  // namespace quintet::speech

#include "quintet/io/tokenizers/gguf_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "quintet/io/formats/gguf_testing.h"
#include "quintet/io/tokenizers/bpe_tokenizer.h"
#include "quintet/io/tokenizers/byte_level.h"

namespace quintet::io {
namespace {

using ::testing::ElementsAre;
using testing::GgufBuilder;
using ::testing::HasSubstr;

Result<BpeTokenizer> read(const GgufBuilder& builder) {
  const std::string file = builder.file("");
  ByteCursor in(std::as_bytes(std::span(file)));
  QT_TRY(const GgufHeader header, GgufHeader::read(in, "test.gguf"));
  QT_TRY(const BpeDefinition definition, gguf_tokenizer(header.metadata));
  return BpeTokenizer::build(definition, "test.gguf");
}

BpeTokenizer good(const GgufBuilder& builder) {
  auto tokenizer = read(builder);
  if (!tokenizer) ADD_FAILURE() << tokenizer.error().message();
  return *std::move(tokenizer);
}

std::string error_of(const GgufBuilder& builder) {
  const auto tokenizer = read(builder);
  return tokenizer ? "" : tokenizer.error().message();
}

GgufBuilder boolean(GgufBuilder builder, std::string_view key, bool value) {
  return builder.scalar(key, GgufType::kBool, static_cast<uint8_t>(value));
}

// The bytes, a control token and one that a user defined, and two merges.
GgufBuilder byte_level(std::string_view pre) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte)
    tokens.push_back(bytes_to_alphabet(std::string(1, static_cast<char>(byte))));
  tokens.insert(tokens.end(), {"<|end|>", "<user>", "12", "\u0120a"});
  std::vector<int32_t> types(tokens.size(), 1);
  types[256] = 3;
  types[257] = 4;
  GgufBuilder builder;
  builder.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", pre);
  builder.texts("tokenizer.ggml.tokens", tokens);
  builder.list("tokenizer.ggml.token_type", GgufType::kI32, types);
  builder.texts("tokenizer.ggml.merges", {"1 2", "\u0120 a"});
  return builder.u32("tokenizer.ggml.bos_token_id", 256).u32("tokenizer.ggml.eos_token_id", 256);
}

TEST(GgufTokenizer, SplitsAsTheFileNamesIt) {
  EXPECT_THAT(good(byte_level("gpt-2")).encode("12 a<user>"), ElementsAre(258, 259, 257));
  EXPECT_THAT(good(byte_level("smollm")).encode("12 a"), ElementsAre('1', '2', 259));
  EXPECT_THAT(good(byte_level("qwen2")).encode("12"), ElementsAre('1', '2'));
  EXPECT_THAT(good(byte_level("default")).encode("12 a"), ElementsAre(258, 259));
  EXPECT_THAT(good(byte_level("llama-bpe")).encode("12 a12"), ElementsAre(258, 259, 258));
  EXPECT_THAT(error_of(byte_level("other")), HasSubstr("tokenizer.ggml.pre is 'other'; known"));
  EXPECT_THAT(error_of(byte_level("gpt-2 phi-2")), HasSubstr("is 'gpt-2 phi-2'; known"));
}

TEST(GgufTokenizer, PutsTokensAroundATextAsTheFileOrItsKindSays) {
  const auto encoded = [](const GgufBuilder& builder) {
    return good(builder).encode("1", AddSpecial::kYes);
  };
  EXPECT_THAT(encoded(byte_level("gpt-2")), ElementsAre('1'));
  EXPECT_THAT(encoded(byte_level("llama-bpe")), ElementsAre(256, '1'));
  EXPECT_THAT(encoded(boolean(byte_level("llama-bpe"), "tokenizer.ggml.add_bos_token", false)),
              ElementsAre('1'));
  EXPECT_THAT(encoded(boolean(byte_level("gpt-2"), "tokenizer.ggml.add_eos_token", true)),
              ElementsAre('1', 256));
}

TEST(GgufTokenizer, KnowsControlTokensAndThoseOfUsers) {
  const BpeTokenizer tokenizer = good(byte_level("gpt-2"));
  EXPECT_THAT(tokenizer.encode("<|end|><user>"), ElementsAre(256, 257));
  EXPECT_TRUE(tokenizer.is_special(256));
  EXPECT_FALSE(tokenizer.is_special(257));
  EXPECT_EQ(tokenizer.decode(std::vector<int32_t>{256, 257, 259}), "<user> a");
}

GgufBuilder sentencepiece(std::vector<float> scores = {0, 0, 0, 0, -9, -9, -9, -1, -2, -3}) {
  GgufBuilder builder;
  builder.text("tokenizer.ggml.model", "llama");
  builder.texts("tokenizer.ggml.tokens",
                {"<unk>", "<s>", "</s>", "<0x0A>", "\u2581", "a", "b", "aa", "aaa", "\u2581b"});
  builder.list("tokenizer.ggml.scores", GgufType::kF32, scores);
  builder.list("tokenizer.ggml.token_type", GgufType::kI32,
               std::vector<int32_t>{2, 3, 3, 6, 1, 1, 1, 1, 1, 1});
  return builder;
}

TEST(GgufTokenizer, MergesByScoreAndAddsASpaceBeforeSections) {
  const BpeTokenizer tokenizer = good(sentencepiece());
  EXPECT_THAT(tokenizer.encode("b b\n"), ElementsAre(9, 9, 3));
  EXPECT_THAT(tokenizer.encode("<s>aaa", AddSpecial::kYes), ElementsAre(1, 1, 4, 8));
  EXPECT_THAT(tokenizer.encode("b\u4f60x"), ElementsAre(9, 0));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("b b\n")), "b b\n");
  const BpeTokenizer plain =
      good(boolean(sentencepiece(), "tokenizer.ggml.add_space_prefix", false));
  EXPECT_THAT(plain.encode("b b"), ElementsAre(6, 9));
  EXPECT_EQ(plain.decode(plain.encode(" b b")), " b b");
}

TEST(GgufTokenizer, MergesTheLeftmostOfTheSameToken) {
  // "aaa" comes from "aa" and "a" in either order, whichever stands first.
  const BpeTokenizer tokenizer =
      good(boolean(sentencepiece(), "tokenizer.ggml.add_space_prefix", false));
  EXPECT_THAT(tokenizer.encode("aaaaa"), ElementsAre(7, 8));
  EXPECT_THAT(tokenizer.encode("aaaa"), ElementsAre(7, 7));
}

TEST(GgufTokenizer, NamesTheKeyThatIsWrong) {
  GgufBuilder none;
  EXPECT_THAT(error_of(none), HasSubstr("tokenizer.ggml.model"));
  EXPECT_THAT(error_of(GgufBuilder().text("tokenizer.ggml.model", "bert")),
              HasSubstr("tokenizer.ggml.model is 'bert'; known are gpt2 and llama"));
  EXPECT_THAT(error_of(GgufBuilder().text("tokenizer.ggml.model", "gpt2")),
              HasSubstr("tokenizer.ggml.tokens"));
  EXPECT_THAT(error_of(sentencepiece({1, 2})), HasSubstr("tokenizer.ggml.scores is not as long"));
  EXPECT_THAT(error_of(sentencepiece(std::vector<float>(10, NAN))), HasSubstr("is no number"));
  EXPECT_THAT(error_of(sentencepiece().u32("tokenizer.ggml.bos_token_id", 10)),
              HasSubstr("tokenizer.ggml.bos_token_id is no token's id"));
  EXPECT_THAT(error_of(GgufBuilder()
                           .text("tokenizer.ggml.model", "gpt2")
                           .texts("tokenizer.ggml.tokens", {"a", "b"})
                           .texts("tokenizer.ggml.merges", {"ab"})),
              HasSubstr("tokenizer.ggml.merges"));
  EXPECT_THAT(
      error_of(GgufBuilder()
                   .text("tokenizer.ggml.model", "gpt2")
                   .texts("tokenizer.ggml.tokens", {"a", "b"})
                   .texts("tokenizer.ggml.merges", {})
                   .list("tokenizer.ggml.token_type", GgufType::kI32, std::vector<int32_t>{1})),
      HasSubstr("tokenizer.ggml.token_type is not as long"));
}

}  // namespace
}  // namespace quintet::io

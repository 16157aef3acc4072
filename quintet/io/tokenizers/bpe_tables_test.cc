#include "quintet/io/tokenizers/bpe_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "quintet/core/file.h"
#include "quintet/io/formats/packed.h"
#include "quintet/io/formats/test_files.h"
#include "quintet/io/tokenizers/bpe_tokenizer.h"
#include "quintet/io/tokenizers/byte_level.h"

namespace quintet::io {
namespace {

using io::testing::TemporaryFolder;
using ::testing::HasSubstr;
using Json = nlohmann::json;

BpeDefinition small_definition() {
  BpeDefinition definition;
  for (int byte = 0; byte < 256; ++byte) {
    definition.vocabulary.emplace_back(bytes_to_alphabet(std::string(1, static_cast<char>(byte))),
                                       byte);
  }
  definition.vocabulary.emplace_back("ab", 256);
  definition.vocabulary.emplace_back("abc", 257);
  definition.merges = {{"a", "b"}, {"ab", "c"}};
  definition.added_tokens = {{.content = "<|x|>", .id = 260, .special = true},
                             {.content = "<|xy|>", .id = 261, .rstrip = true},
                             {.content = "\u00e9!", .id = 262, .normalized = true}};
  definition.normalizers = {NormalForm::kNfc};
  definition.gpt2_split = true;
  return definition;
}

// A packed file of nothing but a tokenizer, after `change` of its metadata and tensors.
using Metadata = std::map<std::string, std::string, std::less<>>;
using Change = std::function<void(Metadata&, std::vector<PackedEntry>&)>;
Result<BpeTables> through_a_file(const BpeTables& tables, const Change& change = nullptr) {
  const TemporaryFolder folder;
  Metadata metadata = {{std::string(kTokenizerMetadata), settings_text(tables.settings).value()}};
  std::vector<PackedEntry> entries;
  for (const TensorEntry& tensor : tensors_of(tables)) {
    entries.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.bytes});
  }
  if (change) change(metadata, entries);
  const auto file = folder / "tokenizer.qnt";
  const auto written = write_packed(file, metadata, entries);
  if (!written) ADD_FAILURE() << written.error().message();
  return read_bpe_tables(read_weights(file).value());
}

BpeTokenizer opened(Result<BpeTables> tables) {
  if (!tables) ADD_FAILURE() << tables.error().message();
  return BpeTokenizer::open(*std::move(tables)).value();
}

TEST(BpeTables, FromAFileTokenizeAsTheDefinitionDoes) {
  const auto text = read_file(QUINTET_SOURCE_DIR "/tests/goldens/tokenizer/small.json", 1 << 20);
  const Json golden = Json::parse(text.value());
  for (const Json& kind : golden["kinds"]) {
    const Json file = {{"model",
                        {{"type", "BPE"},
                         {"vocab", golden["vocab"]},
                         {"merges", golden["merges"]},
                         {"ignore_merges", kind["ignore_merges"]}}},
                       {"added_tokens", golden["added_tokens"]},
                       {"normalizer", kind["normalizer"]},
                       {"pre_tokenizer", kind["pre_tokenizer"]}};
    const auto built = BpeTokenizer::parse(file.dump(), "test.json");
    ASSERT_TRUE(built) << built.error().message();
    const BpeTokenizer mapped = opened(through_a_file(built->tables()));
    EXPECT_EQ(mapped.size(), built->size());
    for (size_t i = 0; i < golden["texts"].size(); ++i) {
      EXPECT_EQ(mapped.encode(golden["texts"][i].get<std::string>()),
                kind["ids"][i].get<std::vector<int32_t>>())
          << kind["name"] << ": " << golden["texts"][i];
    }
    for (int32_t id = -1; id <= built->size(); ++id) {
      EXPECT_EQ(mapped.token_bytes(id), built->token_bytes(id)) << id;
      EXPECT_EQ(mapped.is_special(id), built->is_special(id)) << id;
      EXPECT_EQ(mapped.token_id(built->token_bytes(id)), built->token_id(built->token_bytes(id)));
    }
  }
}

TEST(BpeTables, KeepEveryRule) {
  BpeDefinition definition = small_definition();
  definition.byte_level = false;
  definition.byte_fallback = definition.fuse_unknown = definition.ignore_merges = true;
  definition.normalizers = {NormalForm::kNfkd, LowercaseRule{},
                            StripRule{.left = false, .right = true},
                            ReplaceRule{"a+", PatternSyntax::kRegex, "b"}, PrefixRule{.text = "p"}};
  definition.pre_tokenizers = {
      PrefixRule{.text = "_", .where_missing = true, .at_start = true},
      SplitRule{"x", {PatternSyntax::kLiteral, SplitBehavior::kMergedWithNext, true}}};
  definition.before = {256, 260};
  definition.after = {261};
  definition.decoders = {MetaspaceRule{"_", false}, ByteFallbackRule{}, FuseRule{},
                         TrimRule{" ", 1, 2}};
  const BpeTables built = build_bpe_tables(definition).value();
  const auto read = through_a_file(built);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(settings_text(read->settings).value(), settings_text(built.settings).value());
  const BpeTokenizer mapped = opened(*read);
  EXPECT_EQ(mapped.encode("xaab \u00c9"), opened(built).encode("xaab \u00c9"));
}

TEST(BpeTables, OfTheFirstVersionAreRead) {
  const BpeTables built = build_bpe_tables(small_definition()).value();
  const auto read = through_a_file(built, [](Metadata& metadata, std::vector<PackedEntry>&) {
    metadata["tokenizer"] = R"({"ignore_merges":false,"normalizers":["NFC"],"prefix_space_at":1,)"
                            R"("splits":[{"behavior":"Removed","invert":false,"literal":true,)"
                            R"("pattern":"-"}],"unknown_id":-1,"version":1})";
  });
  const BpeTokenizer tokenizer = opened(read);
  EXPECT_EQ(tokenizer.encode("abc-ab"), (std::vector<int32_t>{' ', 257, ' ', 256}));
  EXPECT_EQ(tokenizer.decode(std::vector<int32_t>{257, ' '}), "abc ");
}

TEST(BpeTables, AreUsedWhereTheyLie) {
  const auto built = build_bpe_tables(small_definition());
  ASSERT_TRUE(built) << built.error().message();
  const TemporaryFolder folder;
  std::vector<PackedEntry> entries;
  for (const TensorEntry& tensor : tensors_of(*built)) {
    entries.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.bytes});
  }
  ASSERT_TRUE(write_packed(folder / "t.qnt",
                           {{"tokenizer", settings_text(built->settings).value()}}, entries));
  std::optional<BpeTables> tables;
  {
    const WeightFile file = read_weights(folder / "t.qnt").value();
    tables = read_bpe_tables(file).value();
    const std::span<const std::byte> mapped = file.files.front()->bytes();
    EXPECT_GE(std::as_bytes(tables->arrays.bytes).data(), mapped.data());
    EXPECT_LT(std::as_bytes(tables->arrays.bytes).data(), mapped.data() + mapped.size());
  }
  // The tables keep the file mapped.
  EXPECT_EQ(opened(*tables).encode("abc<|xy|>  \u00e9!"), (std::vector<int32_t>{257, 261, 262}));
}

// A copy of one array of the entries with one number changed.
class Changed {
 public:
  Changed(std::string name, size_t at, int32_t value)
      : name_(std::string(kTokenizerTensors) + name), at_(at), value_(value) {}

  void operator()(Metadata&, std::vector<PackedEntry>& entries) {
    for (PackedEntry& entry : entries) {
      if (entry.name != name_) continue;
      bytes_.assign(entry.bytes.begin(), entry.bytes.end());
      if (entry.dtype == DType::kI32) {
        std::memcpy(bytes_.data() + 4 * at_, &value_, sizeof(value_));
      } else {
        bytes_[at_] = static_cast<std::byte>(value_);
      }
      entry.bytes = bytes_;
    }
  }

 private:
  std::string name_;
  size_t at_;
  int32_t value_;
  std::vector<std::byte> bytes_;
};

TEST(BpeTables, RefuseEveryNumberThatLeadsOutOfThem) {
  const BpeTables tables = build_bpe_tables(small_definition()).value();
  const auto nodes = static_cast<int32_t>(tables.arrays.given.byte.size());
  const auto rules = static_cast<int32_t>(tables.arrays.merges.right.size());
  struct Case {
    const char* array;
    size_t at;
    int32_t value;
  };
  for (const Case& c : {Case{"token_begin", 0, -1},
                        {"token_begin", 1, 1 << 20},
                        {"token_begin", 263, static_cast<int32_t>(tables.arrays.bytes.size()) + 1},
                        {"by_bytes", 0, 263},
                        {"by_bytes", 5, -1},
                        {"byte_ids", 255, 263},
                        {"byte_ids", 0, -2},
                        {"merge_begin", 263, rules + 1},
                        {"merge_begin", 100, -1},
                        {"merge_result", 1, 263},
                        {"merge_result", 1, -1},
                        {"given.first_child", 1, nodes + 1},
                        {"given.first_child", 0, -1},
                        {"given.token", 3, 263},
                        {"normalized.first_child", 1, 9},
                        {"normalized.token", 1, INT32_MIN}}) {
    const auto read = through_a_file(tables, Changed(c.array, c.at, c.value));
    ASSERT_FALSE(read) << c.array << " " << c.at;
    EXPECT_EQ(read.error().code(), Code::kCorrupt);
    EXPECT_THAT(read.error().message(), HasSubstr(std::string("tokenizer.") + c.array));
  }
}

TEST(BpeTables, RefuseArraysThatAreMissingCutOrOfAnotherType) {
  const BpeTables tables = build_bpe_tables(small_definition()).value();
  for (const TensorEntry& tensor : tensors_of(tables)) {
    const auto error_with = [&](const std::function<void(PackedEntry&)>& damage) {
      const auto read = through_a_file(tables, [&](Metadata&, std::vector<PackedEntry>& entries) {
        for (PackedEntry& entry : entries) {
          if (entry.name == tensor.name) damage(entry);
        }
      });
      EXPECT_FALSE(read) << tensor.name;
      return read ? "" : read.error().message();
    };
    EXPECT_THAT(error_with([](PackedEntry& entry) { entry.name = "another"; }),
                HasSubstr(tensor.name + " is missing"));
    EXPECT_THAT(error_with([](PackedEntry& entry) { entry.shape.push_back(1); }),
                HasSubstr(tensor.name));
    EXPECT_THAT(error_with([](PackedEntry& entry) {
                  entry.dtype = DType::kI8;
                  entry.shape = {static_cast<int64_t>(entry.bytes.size())};
                }),
                HasSubstr(tensor.name));
    // Orders and texts may have any length; everything else belongs to something.
    if (tensor.name == "tokenizer.by_bytes") continue;
    EXPECT_THAT(error_with([](PackedEntry& entry) {
                  const size_t size = entry.dtype == DType::kI32 ? 4 : 1;
                  entry.bytes = entry.bytes.first(entry.bytes.size() - size);
                  --entry.shape[0];
                }),
                HasSubstr("tokenizer."));
  }
}

TEST(BpeTables, RefuseSettingsThatDoNotFit) {
  const BpeTables tables = build_bpe_tables(small_definition()).value();
  const auto error_with = [&](const char* key, const Json& value) {
    const auto read = through_a_file(tables, [&](Metadata& metadata, std::vector<PackedEntry>&) {
      Json settings = Json::parse(metadata["tokenizer"]);
      settings[key] = value;
      metadata["tokenizer"] = settings.dump();
    });
    EXPECT_FALSE(read) << key << " " << value;
    return read ? Error(Code::kInternal, "") : read.error();
  };
  const auto rules = [](std::initializer_list<Json> list) { return Json(list); };
  EXPECT_EQ(error_with("version", 3).code(), Code::kUnsupported);
  EXPECT_THAT(error_with("version", 3).message(), HasSubstr("convert the published model again"));
  EXPECT_EQ(error_with("version", "1").code(), Code::kCorrupt);
  EXPECT_EQ(error_with("unknown_id", 263).code(), Code::kCorrupt);
  EXPECT_EQ(error_with("unknown_id", int64_t{1} << 32).code(), Code::kCorrupt);
  EXPECT_EQ(error_with("before", {263}).code(), Code::kCorrupt);
  EXPECT_EQ(error_with("after", {-1}).code(), Code::kCorrupt);
  EXPECT_EQ(error_with("after", std::vector<int>(65, 1)).code(), Code::kExhausted);
  EXPECT_EQ(error_with("ignore_merges", 1).code(), Code::kCorrupt);
  EXPECT_EQ(error_with("byte_level", nullptr).code(), Code::kCorrupt);
  EXPECT_EQ(error_with("normalizers", rules({{{"type", "NFX"}}})).code(), Code::kCorrupt);
  EXPECT_EQ(error_with("normalizers", rules({{{"type", "Split"}}})).code(), Code::kCorrupt);
  EXPECT_EQ(error_with("normalizers", rules({"NFC"})).code(), Code::kCorrupt);
  EXPECT_EQ(error_with("normalizers", std::vector<Json>(65, {{"type", "NFC"}})).code(),
            Code::kExhausted);
  EXPECT_EQ(
      error_with(
          "normalizers",
          rules({{{"type", "Replace"}, {"pattern", ""}, {"literal", true}, {"content", "a"}}}))
          .code(),
      Code::kCorrupt);
  EXPECT_EQ(error_with("pre_tokenizers", std::vector<Json>(9, {{"type", "Prefix"},
                                                               {"text", "a"},
                                                               {"where_missing", false},
                                                               {"at_start", false}}))
                .code(),
            Code::kExhausted);
  EXPECT_EQ(error_with("pre_tokenizers", Json::object()).code(), Code::kCorrupt);
  EXPECT_EQ(error_with("decoders", rules({{{"type", "Trim"}, {"content", " "}}})).code(),
            Code::kCorrupt);
  EXPECT_THAT(through_a_file(tables, [](Metadata& m, std::vector<PackedEntry>&) { m.clear(); })
                  .error()
                  .message(),
              HasSubstr("describes no tokenizer"));
}

}  // namespace
}  // namespace quintet::io

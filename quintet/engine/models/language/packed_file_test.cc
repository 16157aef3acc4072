// What a packed file gives back.
#include <gtest/gtest.h>

#include "quintet/engine/models/language/model.h"
#include "quintet/engine/models/language/test_model.h"
#include "quintet/io/formats/test_files.h"

namespace quintet::language {
namespace {

class PackedLanguageModel : public testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<Model> load(const std::filesystem::path& path,
                              std::optional<Precision> precision) {
    auto model = load_model(path, precision, pool_);
    EXPECT_TRUE(model) << (model ? "" : model.error().message());
    return *std::move(model);
  }

  io::testing::TemporaryFolder folder_;
  ThreadPool pool_{2};
};

INSTANTIATE_TEST_SUITE_P(Families, PackedLanguageModel, testing::ValuesIn(kTinyModels),
                         name_of_tiny_model);

TEST_P(PackedLanguageModel, GivesTheSameBitsInEveryPrecision) {
  for (const Precision precision :
       {Precision::kF32, Precision::kBF16, Precision::kInt8, Precision::kInt4}) {
    const auto published = load(tiny_model(GetParam()), precision);
    const auto file = folder_ / "model.qnt";
    ASSERT_TRUE(save_packed(*published, file));
    const auto packed = load(file, {});
    EXPECT_EQ(packed->source_format, "packed");
    EXPECT_EQ(packed->packed.precision, precision);
    EXPECT_EQ(packed->packed.plan, published->packed.plan);
    EXPECT_EQ(packed->original_bytes, published->original_bytes);
    EXPECT_EQ(logits_of(*packed, pool_), logits_of(*published, pool_)) << precision_name(precision);
  }
}

TEST_P(PackedLanguageModel, KeepsWhatDescribesTheModel) {
  const auto published = load(tiny_model(GetParam()), Precision::kInt8);
  published->chat_template = "{{ messages[0].content }}";
  published->generation.temperature = 0.6f;
  ASSERT_TRUE(save_packed(*published, folder_ / "model.qnt"));
  const auto packed = load(folder_ / "model.qnt", {});
  EXPECT_EQ(packed->config, published->config);
  EXPECT_EQ(packed->chat_template, published->chat_template);
  EXPECT_EQ(generation_to_json(packed->generation), generation_to_json(published->generation));
}

TEST_P(PackedLanguageModel, OfAnotherPrecisionThanAskedForIsRefused) {
  ASSERT_TRUE(save_packed(*load(tiny_model(GetParam()), Precision::kInt8), folder_ / "model.qnt"));
  const auto refused = load_model(folder_ / "model.qnt", Precision::kBF16, pool_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace quintet::language

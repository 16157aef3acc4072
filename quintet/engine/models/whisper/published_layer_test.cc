#include "quintet/engine/weights/published_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "quintet/engine/models/whisper/test_model.h"

namespace quintet::whisper {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TensorList;
using weights::PublishedLayer;
using weights::read_layer;

io::WeightFile file_of(const char* format, const TensorList& tensors) {
  io::WeightFile file;
  file.format = format;
  for (const io::TensorEntry& entry : tensors.entries()) {
    file.tensors[entry.name] = {entry.dtype, entry.shape, entry.bytes};
  }
  return file;
}

std::string error_of(const io::WeightFile& file, const LayerSpec& spec) {
  const auto layer = read_layer(file, spec);
  EXPECT_FALSE(layer);
  if (layer) return "";
  EXPECT_EQ(layer.error().code(), Code::kCorrupt);
  return layer.error().message();
}

// q, k and v of width 2 as one layer.
const LayerSpec kQkv = {
    LayerKind::kLinear, "qkv", 6, 2, "a/linear_0", {"q_proj", "k_proj", "v_proj"}};
const LayerSpec kNorm = {LayerKind::kNorm, "norm", 2, 1, "a/norm", {"model.norm"}};
const LayerSpec kTable = {LayerKind::kTable, "table", 2, 2, "a/encodings", {"model.pos.weight"}};

TensorList separate_qkv() {
  TensorList t;
  t.add<float>("q_proj.weight", DType::kF32, {2, 2}, {1, 2, 3, 4});
  t.add<float>("q_proj.bias", DType::kF32, {2}, {10, 20});
  t.add<float>("k_proj.weight", DType::kF32, {2, 2}, {5, 6, 7, 8});
  t.add<float>("v_proj.weight", DType::kF32, {2, 2}, {9, 10, 11, 12});
  t.add<float>("v_proj.bias", DType::kF32, {2}, {30, 40});
  return t;
}

TEST(ReadLayer, StacksProjectionsAndFillsTheBiasThatKeysLack) {
  const TensorList tensors = separate_qkv();
  const auto layer = read_layer(file_of("safetensors", tensors), kQkv);
  ASSERT_TRUE(layer) << layer.error().message();
  EXPECT_THAT(layer->weight, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
  EXPECT_THAT(layer->bias, ElementsAre(10, 20, 0, 0, 30, 40));
}

TEST(PublishedLayer, GivesAnyRowsOfStackedProjections) {
  const TensorList tensors = separate_qkv();
  const io::WeightFile file = file_of("safetensors", tensors);
  const auto layer = PublishedLayer::open(file, kQkv);
  ASSERT_TRUE(layer) << layer.error().message();
  for (int64_t first = 0; first < 6; ++first) {
    for (int64_t count = 0; count <= 6 - first; ++count) {
      std::vector<float> rows(static_cast<size_t>(2 * count));
      layer->read_rows(first, count, rows.data());
      for (int64_t i = 0; i < 2 * count; ++i) {
        EXPECT_EQ(rows[static_cast<size_t>(i)], static_cast<float>(2 * first + i + 1));
      }
    }
  }
}

TEST(PublishedLayer, ReadsReleasedRowsAgain) {
  const io::WeightFile file = io::read_weights(testing::tiny_folder()).value();
  for (const LayerSpec& spec : layer_specs(testing::tiny_config())) {
    const auto layer = PublishedLayer::open(file, spec);
    ASSERT_TRUE(layer) << layer.error().message();
    std::vector<float> before(static_cast<size_t>(spec.n * spec.k));
    std::vector<float> after = before;
    layer->read_rows(0, spec.n, before.data());
    layer->release_rows(0, spec.n);
    layer->read_rows(0, spec.n, after.data());
    EXPECT_EQ(before, after) << spec.name;
  }
}

TEST(ReadLayer, NamesTheTensorThatIsMissing) {
  const TensorList tensors = separate_qkv();
  for (const char* name : {"q_proj.weight", "q_proj.bias", "k_proj.weight", "v_proj.bias"}) {
    io::WeightFile file = file_of("safetensors", tensors);
    file.tensors.erase(name);
    EXPECT_EQ(error_of(file, kQkv), "tensor " + std::string(name) + " is missing");
  }
  EXPECT_THAT(error_of(file_of("safetensors", {}), kTable), HasSubstr("model.pos.weight"));
  EXPECT_THAT(error_of(file_of("ct2", {}), kQkv), HasSubstr("a/linear_0/weight is missing"));
  EXPECT_THAT(error_of(file_of("ct2", {}), kNorm), HasSubstr("a/norm/gamma is missing"));
  EXPECT_THAT(error_of(file_of("ct2", {}), kTable), HasSubstr("a/encodings is missing"));
}

TEST(ReadLayer, NamesTheTensorWithAnotherShape) {
  const TensorList tensors = separate_qkv();
  for (const Shape& shape : {Shape{4}, Shape{1, 4}, Shape{2, 2, 1}, Shape{}}) {
    io::WeightFile file = file_of("safetensors", tensors);
    file.tensors.at("k_proj.weight").shape = shape;
    EXPECT_THAT(error_of(file, kQkv),
                AllOf(HasSubstr("k_proj.weight"), HasSubstr(shape_string(shape)),
                      HasSubstr("asks for [2, 2]")));
  }
}

TEST(ReadLayer, NamesTheTensorWhoseBytesAreNotThoseOfItsShape) {
  const TensorList tensors = separate_qkv();
  io::WeightFile file = file_of("safetensors", tensors);
  TensorRef& keys = file.tensors.at("k_proj.weight");
  keys.bytes = keys.bytes.first(12);
  EXPECT_THAT(error_of(file, kQkv), HasSubstr("k_proj.weight"));
}

TEST(ReadLayer, FindsTensorsSavedWithoutTheirPrefix) {
  TensorList tensors;
  tensors.add<float>("norm.weight", DType::kF32, {2}, {1, 2});
  tensors.add<float>("norm.bias", DType::kF32, {2}, {3, 4});
  const auto layer = read_layer(file_of("safetensors", tensors), kNorm);
  ASSERT_TRUE(layer) << layer.error().message();
  EXPECT_THAT(layer->weight, ElementsAre(1, 2));
  EXPECT_THAT(layer->bias, ElementsAre(3, 4));
}

TEST(ReadLayer, ConvertsHalvesToFloat32) {
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    TensorList tensors;
    tensors.add_floats("model.pos.weight", dtype, {2, 2}, {1.5f, -2, 0, 0.25f});
    const auto layer = read_layer(file_of("safetensors", tensors), kTable);
    ASSERT_TRUE(layer) << layer.error().message();
    EXPECT_THAT(layer->weight, ElementsAre(1.5f, -2, 0, 0.25f));
    EXPECT_TRUE(layer->bias.empty());
  }
}

const LayerSpec kSmall = {LayerKind::kLinear, "fc", 2, 2, "a/fc", {"fc"}};

TensorList quantized(const std::vector<float>& scales) {
  TensorList t;
  t.add<int8_t>("a/fc/weight", DType::kI8, {2, 2}, {127, -64, 1, 0});
  t.add<float>("a/fc/weight_scale", DType::kF32, {static_cast<int64_t>(scales.size())}, scales);
  t.add<float>("a/fc/bias", DType::kF32, {2}, {1, 2});
  return t;
}

TEST(ReadLayer, DividesInt8RowsByTheirScales) {
  const TensorList tensors = quantized({127, 2});
  const auto layer = read_layer(file_of("ct2", tensors), kSmall);
  ASSERT_TRUE(layer) << layer.error().message();
  EXPECT_THAT(layer->weight, ElementsAre(1, -64 / 127.0f, 0.5f, 0));
  EXPECT_THAT(layer->bias, ElementsAre(1, 2));
}

TEST(ReadLayer, RefusesScalesThatCannotBe) {
  for (const std::vector<float>& scales :
       {std::vector<float>{1, 0}, {1, -1}, {std::nanf(""), 1}, {1}, {1, 1, 1}}) {
    const TensorList tensors = quantized(scales);
    EXPECT_THAT(error_of(file_of("ct2", tensors), kSmall), HasSubstr("a/fc/weight_scale"));
  }
  const TensorList tensors = quantized({1, 1});
  io::WeightFile file = file_of("ct2", tensors);
  file.tensors.erase("a/fc/weight_scale");
  EXPECT_EQ(error_of(file, kSmall), "tensor a/fc/weight_scale is missing");
  file = file_of("ct2", tensors);
  file.tensors.erase("a/fc/bias");
  EXPECT_EQ(error_of(file, kSmall), "tensor a/fc/bias is missing");
}

TEST(LayerSpecs, EveryTensorOfAPublishedModelIsUsedAndEveryNameIsUnique) {
  const io::WeightFile file = io::read_weights(testing::tiny_folder()).value();
  size_t used = 0;
  std::set<std::string> names;
  for (const LayerSpec& spec : layer_specs(testing::tiny_config())) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
    EXPECT_TRUE(names.insert(spec.ct2).second) << spec.ct2;
    for (const auto& [stem, rows, first_row, tensor_rows, interleaved] : spec.hugging_face) {
      for (const std::string& name : {stem, stem + ".weight", stem + ".bias"}) {
        used += file.find(name) == nullptr ? 0 : 1;
      }
    }
  }
  EXPECT_EQ(used, file.tensors.size());
}

}  // namespace
}  // namespace quintet::whisper

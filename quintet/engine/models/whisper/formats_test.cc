// One model in every format: the same logits from each, and one clear error where a file is broken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "quintet/engine/models/whisper/model.h"
#include "quintet/engine/models/whisper/test_model.h"
#include "quintet/io/formats/packed.h"
#include "quintet/io/formats/safetensors.h"

namespace quintet::whisper {
namespace {

namespace fs = std::filesystem;
using io::testing::TemporaryFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::logits_of;
using ::testing::Not;
using testing::relative_difference;
using ::testing::StartsWith;
using testing::tiny_config;
using testing::tiny_file;
using testing::tiny_folder;

class WhisperFormats : public ::testing::Test {
 protected:
  std::unique_ptr<Model> load(const fs::path& path, std::optional<Precision> precision) {
    auto model = load_model(path, precision, pool_);
    EXPECT_TRUE(model) << model.error().message();
    return model ? *std::move(model) : nullptr;
  }

  std::vector<float> logits(const fs::path& path, std::optional<Precision> precision) {
    const auto model = load(path, precision);
    return model == nullptr ? std::vector<float>() : logits_of(*model, pool_);
  }

  Error error(const fs::path& path, std::optional<Precision> precision = {}) {
    const auto model = load_model(path, precision, pool_);
    EXPECT_FALSE(model);
    if (model) return {Code::kInternal, ""};
    EXPECT_THAT(model.error().message(), AllOf(StartsWith(path.string()), Not(HasSubstr("\n"))));
    return model.error();
  }

  // A packed file at `precision`.
  fs::path packed(Precision precision) {
    const auto model = load(tiny_folder(), precision);
    const fs::path file = folder_ / (std::string(precision_name(precision)) + ".qnt");
    EXPECT_TRUE(save_packed(*model, file));
    return file;
  }

  ThreadPool pool_{2};
  TemporaryFolder folder_;
};

TEST_F(WhisperFormats, PackedFilesGiveTheLogitsThatTheyWereMadeFrom) {
  for (const Precision precision :
       {Precision::kF32, Precision::kBF16, Precision::kInt8, Precision::kInt4}) {
    const auto expected = logits(tiny_folder(), precision);
    const fs::path file = packed(precision);
    EXPECT_EQ(logits(file, {}), expected) << precision_name(precision);
    EXPECT_EQ(logits(file, precision), expected);
    const auto model = load(file, {});
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(model->packed.precision, precision);
    EXPECT_EQ(model->source_format, "packed");
    EXPECT_EQ(model->original_bytes, fs::file_size(tiny_folder() / "model.safetensors"));
    EXPECT_EQ(model->weight_bytes(), load(tiny_folder(), precision)->weight_bytes());
  }
}

TEST_F(WhisperFormats, EachLayerHasTheFormatOfThePlan) {
  using kernels::WeightFormat;
  const Config config = tiny_config();
  Plan plan = default_plan(config, Precision::kInt8);
  plan["encoder.layers.0.fc1"] = {WeightFormat::kBF16, "a test"};
  plan["decoder.layers.1.cross_q"] = {WeightFormat::kF32, "a test"};
  const io::WeightFile source = io::read_weights(tiny_folder()).value();
  Model model;
  model.config = config;
  model.packed = pack_model(source, layer_specs(config), Precision::kInt8, plan, pool_).value();
  model.weights = bind_weights(model.packed, config).value();
  const auto expected = logits_of(model, pool_);
  ASSERT_TRUE(save_packed(model, folder_ / "mixed.qnt"));
  const auto mapped = load(folder_ / "mixed.qnt", Precision::kInt8);
  ASSERT_NE(mapped, nullptr);
  EXPECT_EQ(mapped->packed.plan, plan);
  EXPECT_EQ(mapped->weights.encoder[0].fc1.w.format, WeightFormat::kBF16);
  EXPECT_EQ(mapped->weights.encoder[0].fc2.w.format, WeightFormat::kI8);
  EXPECT_EQ(mapped->weights.decoder[1].cross_q.w.format, WeightFormat::kF32);
  EXPECT_EQ(logits_of(*mapped, pool_), expected);
  EXPECT_NE(expected, logits(tiny_folder(), Precision::kInt8));
}

// No precision does so, but a file may.
TEST_F(WhisperFormats, AnyLayerMayHaveAnyFormat) {
  using kernels::WeightFormat;
  const auto expected = logits(tiny_folder(), Precision::kF32);
  const io::WeightFile source = io::read_weights(tiny_folder()).value();
  for (const WeightFormat format :
       {WeightFormat::kF32, WeightFormat::kBF16, WeightFormat::kI8, WeightFormat::kI4}) {
    Plan plan = default_plan(tiny_config(), Precision::kInt8);
    for (auto& [name, choice] : plan) choice.format = format;
    Model model;
    model.config = tiny_config();
    model.packed =
        pack_model(source, layer_specs(model.config), Precision::kInt8, plan, pool_).value();
    ASSERT_TRUE(save_packed(model, folder_ / "any.qnt"));
    EXPECT_LT(relative_difference(logits(folder_ / "any.qnt", {}), expected), 0.5f);
  }
}

TEST_F(WhisperFormats, ConcurrentPackingGivesTheFileOfOneThread) {
  ThreadPool one(1);
  const auto alone = load_model(tiny_folder(), Precision::kInt4, one);
  ASSERT_TRUE(alone && save_packed(**alone, folder_ / "one.qnt"));
  const fs::path shared = packed(Precision::kInt4);
  EXPECT_EQ(*read_file(shared, 1 << 24), *read_file(folder_ / "one.qnt", 1 << 24));
}

TEST_F(WhisperFormats, PackedFilesAreTheSameEveryTime) {
  const fs::path first = packed(Precision::kInt8);
  const auto again = load(first, {});
  ASSERT_TRUE(save_packed(*again, folder_ / "again.qnt"));
  EXPECT_EQ(*read_file(first, 1 << 24), *read_file(folder_ / "again.qnt", 1 << 24));
}

TEST_F(WhisperFormats, WeightsThatNobodyHasCheckedAreBfloat16WhereNothingElseIsAskedFor) {
  const auto model = load(tiny_folder(), {});
  EXPECT_EQ(model->packed.precision, Precision::kBF16);
  EXPECT_TRUE(model->precision_unmeasured);
  EXPECT_FALSE(load(tiny_folder(), Precision::kBF16)->precision_unmeasured);
}

TEST_F(WhisperFormats, CTranslate2FilesGiveTheSameLogits) {
  const auto expected = logits(tiny_folder(), Precision::kF32);
  struct Case {
    DType dtype;
    float tolerance;
  };
  for (const Case c : {Case{DType::kF32, 0}, {DType::kF16, 5e-3f}, {DType::kI8, 0.1f}}) {
    const fs::path folder = folder_ / std::string(dtype_name(c.dtype));
    fs::create_directory(folder);
    testing::write_tiny_ct2(folder, c.dtype);
    EXPECT_LE(relative_difference(logits(folder, Precision::kF32), expected), c.tolerance);
    EXPECT_EQ(load(folder, Precision::kF32)->source_format, "ct2");
  }
}

TEST_F(WhisperFormats, Int8OfInt8AddsLittleError) {
  testing::write_tiny_ct2(folder_.path(), DType::kI8);
  const auto published = logits(folder_.path(), Precision::kF32);
  const auto again = logits(folder_.path(), Precision::kInt8);
  EXPECT_LT(relative_difference(again, published), 0.1f);
}

TEST_F(WhisperFormats, ExportedFoldersHoldEqualWeights) {
  const fs::path ct2 = folder_ / "ct2";
  fs::create_directory(ct2);
  testing::write_tiny_ct2(ct2, DType::kI8);
  ASSERT_TRUE(export_hugging_face(ct2, folder_ / "f32", DType::kF32));
  EXPECT_EQ(logits(folder_ / "f32", Precision::kF32), logits(ct2, Precision::kF32));
  ASSERT_TRUE(export_hugging_face(tiny_folder(), folder_ / "f16", DType::kF16));
  const io::WeightFile before = io::read_weights(tiny_folder()).value();
  const io::WeightFile after = io::read_weights(folder_ / "f16").value();
  ASSERT_EQ(after.tensors.size(), before.tensors.size());
  for (const auto& [name, tensor] : after.tensors) {
    EXPECT_EQ(tensor.dtype, DType::kF16) << name;
    ASSERT_NE(before.find(name), nullptr) << name;
    EXPECT_EQ(tensor.shape, before.find(name)->shape) << name;
    std::vector<float> rounded = io::to_f32(*before.find(name)).value();
    for (float& x : rounded) x = f16_to_f32(f16_from_f32(x));
    EXPECT_EQ(io::to_f32(tensor).value(), rounded) << name;
  }
}

TEST_F(WhisperFormats, ExportRefusesWhatIsPackedAlready) {
  const auto result = export_hugging_face(packed(Precision::kF32), folder_ / "out", DType::kF32);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kUnsupported);
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

// Tensors of the tiny model that `keep` wants, as one safetensors file.
void write_part(const fs::path& file, const std::function<bool(const std::string&)>& keep) {
  const io::WeightFile source = io::read_weights(tiny_folder()).value();
  std::vector<io::TensorEntry> entries;
  for (const auto& [name, tensor] : source.tensors) {
    if (keep(name)) entries.push_back({name, tensor.dtype, tensor.shape, tensor.bytes});
  }
  ASSERT_TRUE(io::write_safetensors(file, entries));
}

TEST_F(WhisperFormats, ShardsGiveTheSameLogits) {
  const auto in_encoder = [](const std::string& name) { return name.starts_with("model.encoder"); };
  write_part(folder_ / "model-00001-of-00002.safetensors", in_encoder);
  write_part(folder_ / "model-00002-of-00002.safetensors",
             [&](const std::string& name) { return !in_encoder(name); });
  nlohmann::json map;
  const io::WeightFile source = io::read_weights(tiny_folder()).value();
  for (const auto& [name, tensor] : source.tensors) {
    map[name] =
        in_encoder(name) ? "model-00001-of-00002.safetensors" : "model-00002-of-00002.safetensors";
  }
  const nlohmann::json index = {{"weight_map", map}};
  ASSERT_TRUE(write_file_atomically(folder_ / "model.safetensors.index.json", index.dump()));
  ASSERT_TRUE(write_file_atomically(folder_ / "config.json", tiny_file("config.json")));
  EXPECT_EQ(logits(folder_.path(), Precision::kF32), logits(tiny_folder(), Precision::kF32));
}

TEST_F(WhisperFormats, AMissingTensorOrFileIsNamed) {
  const std::string gone = "model.decoder.layers.1.fc2.bias";
  write_part(folder_ / "model.safetensors", [&](const std::string& name) { return name != gone; });
  EXPECT_EQ(error(folder_.path()).code(), Code::kNotFound);
  EXPECT_THAT(error(folder_.path()).message(), HasSubstr("config.json"));
  ASSERT_TRUE(write_file_atomically(folder_ / "config.json", tiny_file("config.json")));
  EXPECT_EQ(error(folder_.path()).code(), Code::kCorrupt);
  EXPECT_THAT(error(folder_.path()).message(), HasSubstr("tensor " + gone + " is missing"));
  EXPECT_EQ(error(folder_ / "nowhere").code(), Code::kNotFound);
}

TEST_F(WhisperFormats, AConfigurationThatClaimsMoreThanTheFileHasIsRefusedBeforeMemoryIsTaken) {
  write_part(folder_ / "model.safetensors", [](const std::string&) { return true; });
  auto config = nlohmann::json::parse(tiny_file("config.json"));
  config["d_model"] = 16384;
  config["encoder_layers"] = config["decoder_layers"] = 256;
  config["encoder_ffn_dim"] = config["decoder_ffn_dim"] = 32768;
  ASSERT_TRUE(write_file_atomically(folder_ / "config.json", config.dump()));
  const Error refused = error(folder_.path());
  EXPECT_EQ(refused.code(), Code::kCorrupt);
  EXPECT_THAT(refused.message(), HasSubstr("the configuration asks for"));
}

TEST_F(WhisperFormats, APackedFileHasThePrecisionThatItWasMadeWith) {
  const Error refused = error(packed(Precision::kInt8), Precision::kF32);
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("holds int8, not fp32"));
}

TEST_F(WhisperFormats, ATruncatedFileIsRefusedWhereverItIsCut) {
  const std::string whole = *read_file(packed(Precision::kInt8), 1 << 24);
  const std::string published = tiny_file("model.safetensors");
  ASSERT_TRUE(write_file_atomically(folder_ / "config.json", tiny_file("config.json")));
  for (const double part : {0.0, 0.001, 0.1, 0.5, 0.999}) {
    const auto cut = [&](const std::string& text) {
      return std::string_view(text).substr(
          0, static_cast<size_t>(part * static_cast<double>(text.size())));
    };
    ASSERT_TRUE(write_file_atomically(folder_ / "cut.qnt", cut(whole)));
    EXPECT_THAT(error(folder_ / "cut.qnt").code(),
                ::testing::AnyOf(Code::kCorrupt, Code::kUnsupported));
    ASSERT_TRUE(write_file_atomically(folder_ / "model.safetensors", cut(published)));
    EXPECT_THAT(error(folder_ / "model.safetensors").code(),
                ::testing::AnyOf(Code::kCorrupt, Code::kUnsupported));
  }
}

// A packed file of the tiny model after `change` of its metadata and entries.
using Metadata = std::map<std::string, std::string, std::less<>>;
void rewrite(const fs::path& from, const fs::path& to,
             const std::function<void(Metadata&, std::vector<io::PackedEntry>&)>& change) {
  const io::WeightFile file = io::read_weights(from).value();
  Metadata metadata = file.metadata;
  std::vector<io::PackedEntry> entries;
  for (const auto& [name, tensor] : file.tensors) {
    entries.push_back(
        {.name = name, .dtype = tensor.dtype, .shape = tensor.shape, .bytes = tensor.bytes});
  }
  change(metadata, entries);
  const auto written = io::write_packed(to, metadata, entries);
  ASSERT_TRUE(written) << written.error().message();
}

TEST_F(WhisperFormats, APackedFileMustHoldEveryTensorInItsShape) {
  const fs::path good = packed(Precision::kInt8);
  const fs::path bad = folder_ / "bad.qnt";
  for (const std::string name : {"decoder.layers.1.fc2.panels", "decoder.embedding.scales",
                                 "encoder.norm.beta", "decoder.positions"}) {
    rewrite(good, bad, [&](Metadata&, std::vector<io::PackedEntry>& entries) {
      std::erase_if(entries, [&](const io::PackedEntry& entry) { return entry.name == name; });
    });
    EXPECT_EQ(error(bad).code(), Code::kCorrupt);
    EXPECT_THAT(error(bad).message(), HasSubstr("tensor " + name + " is missing"));
    rewrite(good, bad, [&](Metadata&, std::vector<io::PackedEntry>& entries) {
      for (io::PackedEntry& entry : entries) {
        if (entry.name == name) entry.shape.insert(entry.shape.begin(), 1);
      }
    });
    EXPECT_THAT(error(bad).message(), AllOf(HasSubstr("tensor " + name), HasSubstr("expected"),
                                            HasSubstr("convert the published model again")));
  }
}

TEST_F(WhisperFormats, APackedFileMustDescribeItsModel) {
  const fs::path good = packed(Precision::kInt8);
  const fs::path bad = folder_ / "bad.qnt";
  const auto error_with = [&](const char* key, const char* value) {
    rewrite(good, bad, [&](Metadata& metadata, std::vector<io::PackedEntry>&) {
      if (value == nullptr) {
        metadata.erase(key);
      } else {
        metadata[key] = value;
      }
    });
    return error(bad);
  };
  for (const char* key : {"architecture", "precision", "layers", "config.json",
                          "generation_config.json", "tokenizer", "original_bytes"}) {
    const Error missing = error_with(key, nullptr);
    EXPECT_EQ(missing.code(), Code::kCorrupt) << key;
    EXPECT_THAT(missing.message(), HasSubstr(key));
  }
  EXPECT_EQ(error_with("architecture", "bert").code(), Code::kUnsupported);
  for (const char* precision : {"auto", "int3", ""}) {
    EXPECT_EQ(error_with("precision", precision).code(), Code::kCorrupt);
  }
  // The tensors of other formats.
  const std::string floats = plan_to_json(default_plan(tiny_config(), Precision::kF32));
  EXPECT_THAT(error_with("layers", floats.c_str()).message(), HasSubstr("expected F32"));
  EXPECT_EQ(error_with("config.json", "{}").code(), Code::kCorrupt);
  EXPECT_EQ(error_with("tokenizer", "{").code(), Code::kCorrupt);
  EXPECT_EQ(error_with("accuracy_check", "{}").code(), Code::kCorrupt);
  for (const char* bytes : {"", "many", "-1", "12 "}) {
    EXPECT_THAT(error_with("original_bytes", bytes).message(), HasSubstr("original_bytes"));
  }
  Config wider = tiny_config();
  wider.decoder_layers = 3;
  EXPECT_THAT(error_with("config.json", config_to_json(wider).c_str()).message(),
              HasSubstr("decoder.layers.2"));
}

}  // namespace
}  // namespace quintet::whisper

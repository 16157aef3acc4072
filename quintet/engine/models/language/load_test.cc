// Folders whose parts contradict each other: each gives one line that names what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "quintet/core/file.h"
#include "quintet/engine/models/language/model.h"
#include "quintet/engine/models/language/test_model.h"
#include "quintet/io/formats/safetensors.h"
#include "quintet/io/formats/test_files.h"

namespace quintet::language {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A copy of a tiny model, of which a test changes a part.
class BrokenLanguageModel : public ::testing::Test {
 protected:
  void copy(const char* name) {
    name_ = name;
    const auto target = folder_ / "model";
    std::filesystem::remove_all(target);
    std::filesystem::create_directory(target);
    for (const char* file : {"config.json", "generation_config.json", "model.safetensors"}) {
      std::filesystem::copy_file(tiny_model(name) / file, target / file);
    }
  }

  void write(const char* file, const std::string& text) {
    std::ofstream(folder_ / "model" / file, std::ios::binary) << text;
  }

  void change(const char* file, const char* key, const json& value) {
    json object = json::parse(read_file(folder_ / "model" / file, 1 << 20).value());
    object[key] = value;
    write(file, object.dump());
  }

  // Writes the weights again, as `keep` wants them.
  void change_weights(const std::function<bool(io::TensorEntry&)>& keep) {
    const auto file = io::read_weights(tiny_model(name_) / "model.safetensors").value();
    std::vector<io::TensorEntry> entries;
    for (const auto& [name, tensor] : file.tensors) {
      io::TensorEntry entry = {name, tensor.dtype, tensor.shape, tensor.bytes};
      if (keep(entry)) entries.push_back(entry);
    }
    ASSERT_TRUE(io::write_safetensors(folder_ / "model" / "model.safetensors", entries));
  }

  void expect_refused(const std::string& named) {
    const auto model = load_model(folder_ / "model", Precision::kBF16, pool_);
    ASSERT_FALSE(model) << named;
    EXPECT_THAT(
        model.error().message(),
        AllOf(HasSubstr(named), HasSubstr((folder_ / "model").string()), Not(HasSubstr("\n"))));
  }

  io::testing::TemporaryFolder folder_;
  ThreadPool pool_{2};
  std::string name_;
};

TEST_F(BrokenLanguageModel, WithoutATensorNamesIt) {
  for (const char* model : {"llama-bias", "gemma3-text", "phi3"}) {
    copy(model);
    const auto file = io::read_weights(tiny_model(model) / "model.safetensors").value();
    for (const auto& [missing, tensor] : file.tensors) {
      // Key projections may do without a bias.
      if (missing.ends_with("k_proj.bias")) continue;
      change_weights([&](const io::TensorEntry& entry) { return entry.name != missing; });
      expect_refused(missing);
    }
  }
}

TEST_F(BrokenLanguageModel, WithATensorOfAnotherShapeNamesIt) {
  for (const char* model : {"llama-bias", "gemma3-text", "phi3"}) {
    copy(model);
    const auto file = io::read_weights(tiny_model(model) / "model.safetensors").value();
    for (const auto& [changed, tensor] : file.tensors) {
      change_weights([&](io::TensorEntry& entry) {
        if (entry.name == changed) entry.shape.insert(entry.shape.begin(), 1);
        return true;
      });
      expect_refused(changed);
    }
  }
}

TEST_F(BrokenLanguageModel, WhoseConfigurationIsUnlikeTheTensorsNamesOneOfThem) {
  struct Change {
    const char* key;
    int64_t value;
    const char* named;
  };
  for (const Change& c : std::initializer_list<Change>{{"hidden_size", 128, "shape"},
                                                       {"hidden_size", 63, "shape"},
                                                       {"num_hidden_layers", 4, "model.layers.3"},
                                                       {"num_attention_heads", 8, "q_proj"},
                                                       {"num_key_value_heads", 4, "k_proj"},
                                                       {"num_key_value_heads", 1, "k_proj"},
                                                       {"head_dim", 32, "q_proj"},
                                                       {"intermediate_size", 161, "gate_proj"},
                                                       {"vocab_size", 511, "embed_tokens"},
                                                       {"vocab_size", 513, "embed_tokens"},
                                                       {"vocab_size", 1'000'000, "weights"},
                                                       {"hidden_size", 65536, "weights"},
                                                       {"num_hidden_layers", 1024, "weights"},
                                                       {"intermediate_size", 524288, "weights"}}) {
    copy("llama");
    change("config.json", c.key, c.value);
    expect_refused(c.named);
  }
  copy("llama");
  change("config.json", "tie_word_embeddings", false);
  expect_refused("lm_head.weight");
  copy("llama");
  change("config.json", "attention_bias", true);
  expect_refused("q_proj.bias");
  copy("llama");
  change("config.json", "model_type", "qwen3");
  expect_refused("q_norm.weight");
  copy("llama");
  change("config.json", "model_type", "phi3");
  expect_refused("qkv_proj.weight");
}

TEST_F(BrokenLanguageModel, WithTokensOutsideTheVocabularyNamesThem) {
  for (const char* key : {"eos_token_id", "bos_token_id"}) {
    for (const json& value : std::vector<json>{512, 1'000'000, 10'000'000'000, -1, "2", 1.5}) {
      copy("llama");
      change("generation_config.json", key, value);
      expect_refused(value == 512 || value == 1'000'000 ? value.dump() : key);
    }
  }
}

TEST_F(BrokenLanguageModel, WithSettingsOfGenerationThatAreNoneNamesThem) {
  for (const char* key : {"temperature", "top_k", "top_p", "repetition_penalty"}) {
    for (const json& value : std::vector<json>{-2, "1", 1e300, json::array()}) {
      copy("llama");
      change("generation_config.json", key, value);
      expect_refused(key);
    }
  }
}

TEST_F(BrokenLanguageModel, WithTextThatIsNoJsonNamesTheFile) {
  for (const char* file :
       {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"}) {
    for (const std::string& text : {std::string("{"), std::string(200000, '['),
                                    std::string("{\"a\": 1e999}"), std::string("\xff\xfe")}) {
      copy("llama");
      write(file, text);
      expect_refused(file);
    }
  }
}

TEST_F(BrokenLanguageModel, WithoutAConfigurationNamesTheFile) {
  copy("llama");
  std::filesystem::remove(folder_ / "model" / "config.json");
  expect_refused("config.json");
}

}  // namespace
}  // namespace quintet::language

#include "quintet/eval/data_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quintet::eval {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<std::vector<DataItem>> parsed(std::string_view text, const DataFileLimits& limits = {}) {
  return parse_data_file(text, "d.jsonl", "/data", limits);
}

std::string error_of(std::string_view text, const DataFileLimits& limits = {}) {
  const auto items = parsed(text, limits);
  return items.has_value() ? "" : items.error().message();
}

TEST(DataFile, ReadsSpeechAndQuestions) {
  const auto items = parsed(
      "\xef\xbb\xbf{\"audio\": \"a.wav\", \"text\": \"hello\", \"language\": \"de\"}\r\n"
      "\n"
      R"({"image": "1.jpg", "prompt": "What?", "answer": "This", "kind": "shape", "id": "q1"})"
      "\n"
      R"({"image": ["1.jpg", "/b/2.jpg"], "prompt": "Which?", "answer": "", "more": [1]})");
  ASSERT_TRUE(items.has_value()) << items.error().message();
  ASSERT_EQ(items->size(), 3u);
  const DataItem& speech = (*items)[0];
  EXPECT_EQ(speech.task, Task::kTranscribe);
  EXPECT_THAT(speech.audio, ElementsAre("/data/a.wav"));
  EXPECT_EQ(speech.reference, "hello");
  EXPECT_EQ(speech.language, "de");
  EXPECT_EQ(speech.id, "1");
  const DataItem& question = (*items)[1];
  EXPECT_EQ(question.task, Task::kAnswer);
  EXPECT_EQ(question.prompt, "What?");
  EXPECT_EQ(question.reference, "This");
  EXPECT_EQ(question.kind, "shape");
  EXPECT_EQ(question.id, "q1");
  EXPECT_EQ(question.line, 3);
  EXPECT_THAT((*items)[2].images, ElementsAre("/data/1.jpg", "/b/2.jpg"));
}

TEST(DataFile, NamesLineAndKeyOfWhatIsWrong) {
  const std::string good = "{\"audio\": \"a.wav\", \"text\": \"x\"}\n";
  EXPECT_THAT(error_of(good + "{"), HasSubstr("d.jsonl:2: not valid JSON"));
  EXPECT_THAT(error_of(good + "\n[]"), HasSubstr("d.jsonl:3: expected an object"));
  EXPECT_THAT(error_of(R"({"audio": "a.wav"})"), HasSubstr("d.jsonl:1: key 'text'"));
  EXPECT_THAT(error_of(R"({"audio": "a.wav", "text": 5})"), HasSubstr("key 'text'"));
  EXPECT_THAT(error_of(R"({"text": "x"})"), HasSubstr("one path under 'audio'"));
  EXPECT_THAT(error_of(R"({"image": 3, "prompt": "x", "answer": "y"})"), HasSubstr("'image'"));
  EXPECT_THAT(error_of(R"({"image": [""], "prompt": "x", "answer": "y"})"), HasSubstr("'image'"));
  EXPECT_THAT(error_of(R"({"image": "a.jpg", "answer": "y"})"), HasSubstr("'prompt' is missing"));
  EXPECT_THAT(error_of(R"({"audio": "a", "text": "x", "answer": "y"})"), HasSubstr("both 'text'"));
  EXPECT_THAT(error_of(" \n\n"), HasSubstr("d.jsonl: no items"));
}

TEST(DataFile, StopsAtItsLimits) {
  const std::string line = "{\"audio\": \"a.wav\", \"text\": \"x\"}\n";
  EXPECT_THAT(error_of(line + line, {.max_items = 1}), HasSubstr("d.jsonl:2: more than 1 items"));
  EXPECT_THAT(error_of(line, {.max_line_bytes = 10}), HasSubstr("limit of 10"));
  EXPECT_THAT(error_of(R"({"image": ["a", "b"], "prompt": "", "answer": ""})", {.max_media = 1}),
              HasSubstr("has 2 paths"));
  EXPECT_THAT(error_of("{\"x\": " + std::string(100, '[')), HasSubstr("d.jsonl:1:"));
}

TEST(DataFile, GroupsItemsByTheirFirstPictureOrRecording) {
  const auto items = parsed(R"({"image": "1", "prompt": "", "answer": ""}
{"image": ["2", "1"], "prompt": "", "answer": ""}
{"prompt": "", "answer": ""}
{"image": "1", "prompt": "", "answer": ""}
{"prompt": "", "answer": ""})");
  ASSERT_TRUE(items.has_value()) << items.error().message();
  EXPECT_THAT(groups_by_media(*items), ElementsAre(0, 1, 2, 0, 3));
}

TEST(DataFile, SaysWhichFileIsNotThere) {
  const auto items = load_data_file("/nowhere/d.jsonl");
  ASSERT_FALSE(items.has_value());
  EXPECT_EQ(items.error().code(), Code::kNotFound);
  EXPECT_THAT(items.error().message(), HasSubstr("/nowhere/d.jsonl"));
}

}  // namespace
}  // namespace quintet::eval

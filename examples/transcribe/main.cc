// Speech to text with an installed Quintet: transcribe MODEL FILE...
// MODEL is a name that `quintet pull` knows, or a folder. Prints one line for each segment.
#include <quintet/quintet.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s MODEL FILE...\n", argv[0]);
    return 2;
  }
  auto model = quintet::SpeechModel::load(argv[1]);
  if (!model) {
    std::fprintf(stderr, "%s\n", model.error().message().c_str());
    return 1;
  }
  for (int i = 2; i < argc; ++i) {
    auto result = model->transcribe(argv[i], {.language = "en"});
    if (!result) {
      std::fprintf(stderr, "%s\n", result.error().message().c_str());
      return 1;
    }
    for (const auto& segment : result->segments) std::printf("%s\n", segment.text.c_str());
  }
  return 0;
}

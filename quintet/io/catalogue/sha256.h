// SHA-256 of streams and files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "quintet/core/result.h"

namespace quintet::io {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void add(std::span<const std::byte> bytes);
  std::string finish();  // 64 lower-case hexadecimal digits. Call once, at the end.

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Errors: those of opening and reading the file.
Result<std::string> sha256_of_file(const std::filesystem::path& path);

}  // namespace quintet::io

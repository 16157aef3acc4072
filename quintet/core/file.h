// Files: mapped for reading, read whole with a limit, written by way of a temporary file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "quintet/core/result.h"

namespace quintet {

// A whole file mapped read-only. The bytes live as long as any copy of the shared pointer.
class MappedFile {
 public:
  // Errors: kNotFound, kIo (directory, no permission); an empty file maps to an empty span.
  static Result<std::shared_ptr<const MappedFile>> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::filesystem::path& path() const { return path_; }

  // Reads the bytes from `offset` on into `out`, past the mapping. Threads: any number at a time.
  // Errors: kIo, also where the file has become shorter. REQUIRES: they lie in bytes().
  Result<void> read(size_t offset, std::span<std::byte> out) const;

  // Gives back the memory of the whole pages inside `part`; they are read from the file again where
  // they are touched. REQUIRES: `part` lies in bytes().
  void release(std::span<const std::byte> part) const;

 private:
  MappedFile(std::filesystem::path path, int descriptor, std::span<const std::byte> bytes)
      : path_(std::move(path)), descriptor_(descriptor), bytes_(bytes) {}
  std::filesystem::path path_;
  int descriptor_;
  std::span<const std::byte> bytes_;
};

// The whole file as text. Errors: kNotFound, kIo, kExhausted where it is larger than `max_bytes`.
Result<std::string> read_file(const std::filesystem::path& path, uint64_t max_bytes);

// Whether write_file_atomically can begin: to be asked before long work whose result it writes.
// Errors: kInvalidArgument (no name), kNotFound (no such folder), kIo (a directory or device stands
// there, no permission).
Result<void> check_can_write(const std::filesystem::path& path);

// Writes to a temporary file beside `path` and renames it at the end: `path` is either as before
// or complete. `write` gets a sink that may be called any number of times.
// Errors: those of check_can_write, those of `write`, kIo.
using ByteSink = std::function<Result<void>(std::span<const std::byte>)>;
Result<void> write_file_atomically(const std::filesystem::path& path,
                                   const std::function<Result<void>(const ByteSink&)>& write);
Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view content);

}  // namespace quintet

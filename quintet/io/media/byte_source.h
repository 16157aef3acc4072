// Bytes at a position, from a file or from memory: what a decoder seeks and reads in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <utility>
#include <vector>

#include "quintet/core/result.h"

namespace quintet::io {

// A file is read through a small buffer and not mapped: a mapping would count as resident memory
// and would end the process if somebody shortened the file meanwhile.
class ByteSource {
 public:
  // Errors: kNotFound, kIo (no permission, not a regular file).
  static Result<ByteSource> open(const std::filesystem::path& path);
  // REQUIRES: `bytes` outlive the source.
  explicit ByteSource(std::span<const std::byte> bytes);

  ByteSource(ByteSource&& other) noexcept;
  ByteSource& operator=(ByteSource&&) = delete;
  ~ByteSource();

  int64_t size() const { return size_; }

  // Copies out.size() bytes from `position` on, fewer at the end; a file that can no longer be
  // read ends there. Returns how many.
  size_t read_at(int64_t position, std::span<std::byte> out);

  // From now on the bytes at `position` read as `bytes`; the file itself stays as it is. Once.
  void replace(int64_t position, std::vector<std::byte> bytes);

 private:
  ByteSource(int fd, int64_t size);
  // The buffered bytes from `position` on; empty at the end.
  std::span<const std::byte> buffered(int64_t position);

  int fd_ = -1;  // -1: in memory, where window_ is everything.
  int64_t size_ = 0;
  std::vector<std::byte> buffer_;
  std::span<const std::byte> window_;
  int64_t window_position_ = 0;
  int64_t replaced_position_ = 0;
  std::vector<std::byte> replaced_;
};

// A source read in order from `start` on, as the call-backs of decoding libraries want it.
class ByteCursor {
 public:
  // REQUIRES: 0 <= start <= source.size().
  ByteCursor(ByteSource source, int64_t start) : source_(std::move(source)), start_(start) {}

  int64_t size() const { return source_.size() - start_; }
  int64_t position() const { return position_; }
  size_t read(std::span<std::byte> out);
  // `whence` as in fseek. Returns the new position, at most size(), or -1 in front of the start.
  int64_t seek(int64_t offset, int whence);

 private:
  ByteSource source_;
  int64_t start_;
  int64_t position_ = 0;
};

}  // namespace quintet::io

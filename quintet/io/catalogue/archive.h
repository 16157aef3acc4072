// Wheels, which are ZIP archives: single members by their exact name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "quintet/core/file.h"
#include "quintet/core/result.h"

namespace quintet::io {

class Archive {
 public:
  // `bytes` must outlive the archive. Errors: kCorrupt.
  static Result<Archive> open(std::span<const std::byte> bytes);
  Archive(Archive&&) noexcept;
  Archive& operator=(Archive&&) noexcept;
  ~Archive();

  // Feeds the member's content to `sink` in pieces and checks its CRC at the end. Where a member
  // goes is the caller's business: no name of the archive becomes a path.
  // Errors: kNotFound; kCorrupt (an unsafe name, a bad CRC, a size that is not `bytes`);
  // kUnsupported (encrypted, unknown compression); those of `sink`.
  Result<void> extract(const std::string& member, uint64_t bytes, const ByteSink& sink) const;

  // The members by number: name, and unpacked size as the directory claims it; empty and 0 where
  // the directory is damaged.
  uint64_t size() const;
  std::string name(uint64_t index) const;
  uint64_t member_bytes(uint64_t index) const;

 private:
  struct State;
  explicit Archive(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Whether a member's name stays inside the folder that it is unpacked to: relative, without ".."
// or empty components, backslashes and control characters.
bool is_safe_member(const std::string& name);

}  // namespace quintet::io

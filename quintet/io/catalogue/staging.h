// The two things that keep the store consistent: one pull at a time, and models that appear whole.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>

#include "quintet/core/result.h"

namespace quintet::io {

// Held by the process that changes the store. The kernel lets go when the process ends, however.
class StoreLock {
 public:
  // Waits, asking `keep_waiting` five times a second (false: kCancelled). Errors: kIo.
  static Result<StoreLock> take(const std::filesystem::path& file,
                                const std::function<bool()>& keep_waiting);
  StoreLock(StoreLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  StoreLock& operator=(StoreLock&&) = delete;
  ~StoreLock();

 private:
  explicit StoreLock(int fd) : fd_(fd) {}
  int fd_;
};

// A hidden folder beside the final one, removed unless it was committed.
class StagedModel {
 public:
  // REQUIRES: the store's lock is held; what an interrupted pull left behind is removed.
  static Result<StagedModel> begin(const std::filesystem::path& models, const std::string& name);
  StagedModel(StagedModel&& other) noexcept = default;
  StagedModel& operator=(StagedModel&&) = delete;
  ~StagedModel();

  const std::filesystem::path& folder() const { return folder_; }

  // Flushes the folder and renames it into place; a model that is there already gives way.
  Result<std::filesystem::path> commit();

 private:
  StagedModel(std::filesystem::path folder, std::filesystem::path target)
      : folder_(std::move(folder)), target_(std::move(target)) {}
  std::filesystem::path folder_;  // Empty once committed.
  std::filesystem::path target_;
};

// Flushes a file or folder to the disk. Errors: kIo.
Result<void> flush_to_disk(const std::filesystem::path& path);

}  // namespace quintet::io

#include "quintet/io/catalogue/staging.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>

namespace quintet::io {
namespace {

Error system_error(const std::filesystem::path& path, const std::string& what, int reason) {
  return Error(Code::kIo, path.string() + ": " + what + ": " + std::strerror(reason));
}

}  // namespace

Result<StoreLock> StoreLock::take(const std::filesystem::path& file,
                                  const std::function<bool()>& keep_waiting) {
  constexpr std::chrono::milliseconds kPause{200};
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return system_error(file, "cannot open the lock", errno);
  StoreLock lock(fd);
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    if (reason != EWOULDBLOCK && reason != EINTR) return system_error(file, "cannot lock", reason);
    if (!keep_waiting()) {
      return Error(Code::kCancelled, "cancelled while another process was changing the models");
    }
    std::this_thread::sleep_for(kPause);
  }
  return lock;
}

StoreLock::~StoreLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<StagedModel> StagedModel::begin(const std::filesystem::path& models,
                                       const std::string& name) {
  const std::filesystem::path folder = models / (".partial-" + name);
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  std::filesystem::remove_all(models / (".old-" + name), error);
  if (!std::filesystem::create_directories(folder, error)) {
    return system_error(folder, "cannot create", error.value());
  }
  return StagedModel(folder, models / name);
}

StagedModel::~StagedModel() {
  std::error_code error;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, error);
}

Result<std::filesystem::path> StagedModel::commit() {
  QT_TRY_VOID(flush_to_disk(folder_));
  const std::filesystem::path models = target_.parent_path();
  const std::filesystem::path old = models / (".old-" + target_.filename().string());
  std::error_code error;
  if (std::filesystem::exists(target_, error)) {
    std::filesystem::rename(target_, old, error);
    if (error) return system_error(target_, "cannot replace", error.value());
  }
  std::filesystem::rename(folder_, target_, error);
  if (error) {
    const int reason = error.value();
    std::filesystem::rename(old, target_, error);  // The model that was there comes back.
    return system_error(target_, "cannot put in place", reason);
  }
  folder_.clear();
  std::filesystem::remove_all(old, error);
  QT_TRY_VOID(flush_to_disk(models));
  return target_;
}

Result<void> flush_to_disk(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return system_error(path, "cannot open", errno);
  const int failed = ::fsync(fd);
  const int reason = errno;
  ::close(fd);
  if (failed != 0) return system_error(path, "cannot flush", reason);
  return {};
}

}  // namespace quintet::io

#include "quintet/core/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "quintet/core/check.h"

namespace quintet {
namespace {

Error system_error(const std::filesystem::path& path, const char* what) {
  const int reason = errno;
  const Code code = reason == ENOENT || reason == ENOTDIR ? Code::kNotFound : Code::kIo;
  return Error(code, path.string() + ": " + what + ": " + std::strerror(reason));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close_now(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  int give_away() { return std::exchange(fd_, -1); }
  int close_now() {
    const int fd = give_away();
    return fd >= 0 ? ::close(fd) : 0;
  }

 private:
  int fd_;
};

// Opens a regular file; a directory or device is an error, because its size means nothing.
Result<int64_t> regular_file_size(const Descriptor& file, const std::filesystem::path& path) {
  if (!file.ok()) return system_error(path, "cannot open");
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return system_error(path, "cannot stat");
  if (S_ISDIR(info.st_mode)) {
    return Error(Code::kIo, path.string() + ": is a directory, expected a file");
  }
  if (!S_ISREG(info.st_mode)) {
    return Error(Code::kIo, path.string() + ": is not a regular file");
  }
  return static_cast<int64_t>(info.st_size);
}

Result<void> write_all(int fd, std::span<const std::byte> bytes,
                       const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(path, "cannot write");
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::filesystem::path& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  QT_TRY(const int64_t size, regular_file_size(file, path));
  std::span<const std::byte> bytes;
  if (size > 0) {
    void* start = ::mmap(nullptr, static_cast<size_t>(size), PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (start == MAP_FAILED) return system_error(path, "cannot map");
    bytes = {static_cast<const std::byte*>(start), static_cast<size_t>(size)};
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(path, file.give_away(), bytes));
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  ::close(descriptor_);
}

Result<void> MappedFile::read(size_t offset, std::span<std::byte> out) const {
  QT_CHECK(offset <= bytes_.size() && out.size() <= bytes_.size() - offset);
  while (!out.empty()) {
    const ssize_t n = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(path_, "cannot read");
    if (n == 0) return Error(Code::kIo, path_.string() + ": has become shorter while it was read");
    offset += static_cast<size_t>(n);
    out = out.subspan(static_cast<size_t>(n));
  }
  return {};
}

void MappedFile::release(std::span<const std::byte> part) const {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<size_t>(part.data() - bytes_.data());
  QT_CHECK(offset <= bytes_.size() && part.size() <= bytes_.size() - offset);
  const size_t begin = (offset + page - 1) / page * page;
  const size_t end = (offset + part.size()) / page * page;
  if (begin >= end) return;
  // Only a wish: memory that stays is no error.
  ::madvise(const_cast<std::byte*>(bytes_.data()) + begin, end - begin, MADV_DONTNEED);
}

Result<std::string> read_file(const std::filesystem::path& path, uint64_t max_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  QT_TRY(const int64_t size, regular_file_size(file, path));
  if (static_cast<uint64_t>(size) > max_bytes) {
    return Error(Code::kExhausted, path.string() + ": has " + std::to_string(size) +
                                       " bytes, more than the " + std::to_string(max_bytes) +
                                       " allowed for this kind of file");
  }
  std::string content(static_cast<size_t>(size), '\0');
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t n = ::read(file.get(), content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(path, "cannot read");
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  content.resize(done);
  return content;
}

namespace {

// Opens a new file beside `path`, which is going to take its place, and gives its name.
Result<int> open_temporary(const std::filesystem::path& path, std::string& temporary) {
  if (path.empty()) return Error(Code::kInvalidArgument, "the name of the file to write is empty");
  // A rename would put a file in the place of a device, pipe or folder.
  struct stat existing {};
  if (::stat(path.c_str(), &existing) == 0 && !S_ISREG(existing.st_mode)) {
    return Error(Code::kIo, path.string() + (S_ISDIR(existing.st_mode)
                                                 ? ": is a directory, expected a file"
                                                 : ": exists and is not a regular file"));
  }
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  std::error_code ignored;
  if (!std::filesystem::exists(folder, ignored)) {
    return Error(Code::kNotFound,
                 path.string() + ": cannot write: no such folder " + folder.string());
  }
  temporary = path.string() + ".partial-XXXXXX";
  const int file = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (file < 0) return system_error(path, "cannot write");
  return file;
}

}  // namespace

Result<void> check_can_write(const std::filesystem::path& path) {
  std::string temporary;
  QT_TRY(const int opened, open_temporary(path, temporary));
  const Descriptor file(opened);
  ::unlink(temporary.c_str());
  return {};
}

Result<void> write_file_atomically(const std::filesystem::path& path,
                                   const std::function<Result<void>(const ByteSink&)>& write) {
  std::string temporary;
  QT_TRY(const int opened, open_temporary(path, temporary));
  Descriptor file(opened);
  const auto write_and_rename = [&]() -> Result<void> {
    QT_TRY_VOID(write(
        [&](std::span<const std::byte> bytes) { return write_all(file.get(), bytes, temporary); }));
    // mkstemp makes files private; a finished file has the permissions that umask asks for.
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(file.get(), 0666 & ~mask) != 0) return system_error(path, "cannot set mode");
    if (::fsync(file.get()) != 0) return system_error(path, "cannot flush");
    if (file.close_now() != 0) return system_error(path, "cannot close");
    if (::rename(temporary.c_str(), path.c_str()) != 0) return system_error(path, "cannot rename");
    return {};
  };
  Result<void> result = write_and_rename();
  if (!result) ::unlink(temporary.c_str());
  return result;
}

Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  return write_file_atomically(path, [&](const ByteSink& sink) {
    return sink(std::as_bytes(std::span(content.data(), content.size())));
  });
}

}  // namespace quintet

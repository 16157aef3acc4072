#include "quintet/io/media/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace quintet::io {
namespace {

// Decoders of compressed formats read a few bytes at a time.
constexpr size_t kBufferBytes = size_t{64} << 10;

Error system_error(const std::filesystem::path& path, const char* what) {
  const int reason = errno;
  const Code code = reason == ENOENT || reason == ENOTDIR ? Code::kNotFound : Code::kIo;
  return Error(code, path.string() + ": " + what + ": " + std::strerror(reason));
}

}  // namespace

Result<ByteSource> ByteSource::open(const std::filesystem::path& path) {
  // Without O_NONBLOCK a named pipe would wait here for its writer.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return system_error(path, "cannot open");
  ByteSource source(fd, 0);
  struct stat info {};
  if (::fstat(fd, &info) != 0) return system_error(path, "cannot stat");
  if (S_ISDIR(info.st_mode)) {
    return Error(Code::kIo, path.string() + ": is a directory, expected an audio file");
  }
  if (!S_ISREG(info.st_mode)) {
    return Error(Code::kIo, path.string() + ": is not a regular file, expected an audio file");
  }
  source.size_ = static_cast<int64_t>(info.st_size);
  source.buffer_.resize(kBufferBytes);
  return source;
}

ByteSource::ByteSource(std::span<const std::byte> bytes)
    : size_(static_cast<int64_t>(bytes.size())), window_(bytes) {}

ByteSource::ByteSource(int fd, int64_t size) : fd_(fd), size_(size) {}

ByteSource::ByteSource(ByteSource&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      size_(std::exchange(other.size_, 0)),
      buffer_(std::move(other.buffer_)),
      window_(std::exchange(other.window_, {})),
      window_position_(other.window_position_),
      replaced_position_(other.replaced_position_),
      replaced_(std::move(other.replaced_)) {}

ByteSource::~ByteSource() {
  if (fd_ >= 0) ::close(fd_);
}

std::span<const std::byte> ByteSource::buffered(int64_t position) {
  const auto offset_in_window = [&] { return static_cast<size_t>(position - window_position_); };
  if (position < window_position_ || offset_in_window() >= window_.size()) {
    if (fd_ < 0) return {};
    ssize_t n = 0;
    do {
      n = ::pread(fd_, buffer_.data(), buffer_.size(), static_cast<off_t>(position));
    } while (n < 0 && errno == EINTR);
    window_ = std::span(buffer_).first(static_cast<size_t>(std::max<ssize_t>(n, 0)));
    window_position_ = position;
  }
  return window_.subspan(std::min(offset_in_window(), window_.size()));
}

size_t ByteSource::read_at(int64_t position, std::span<std::byte> out) {
  if (position < 0 || position >= size_) return 0;
  size_t done = 0;
  // The size of the moment of opening counts: a file that grows meanwhile does not change it.
  const size_t wanted =
      static_cast<size_t>(std::min<int64_t>(size_ - position, static_cast<int64_t>(out.size())));
  while (done < wanted) {
    const std::span<const std::byte> piece = buffered(position + static_cast<int64_t>(done));
    if (piece.empty()) break;
    const size_t n = std::min(piece.size(), wanted - done);
    std::memcpy(out.data() + done, piece.data(), n);
    done += n;
  }
  for (size_t i = 0; i < replaced_.size(); ++i) {
    const int64_t at = replaced_position_ + static_cast<int64_t>(i) - position;
    if (at >= 0 && at < static_cast<int64_t>(done)) out[static_cast<size_t>(at)] = replaced_[i];
  }
  return done;
}

void ByteSource::replace(int64_t position, std::vector<std::byte> bytes) {
  replaced_position_ = position;
  replaced_ = std::move(bytes);
}

size_t ByteCursor::read(std::span<std::byte> out) {
  const size_t done = source_.read_at(start_ + position_, out);
  position_ += static_cast<int64_t>(done);
  return done;
}

int64_t ByteCursor::seek(int64_t offset, int whence) {
  const int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? position_ : size();
  int64_t target = 0;
  if (__builtin_add_overflow(base, offset, &target) || target < 0) return -1;
  // Behind the end there is nothing to read; clamping keeps later sums small.
  position_ = std::min(target, size());
  return position_;
}

}  // namespace quintet::io

#include "quintet/io/catalogue/sha256.h"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "quintet/core/check.h"

namespace quintet::io {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() = default;
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

// OpenSSL's digests fail only for lack of memory or in a process without SHA-256: nothing that a
// caller could answer.
Sha256::Sha256() : state_(std::make_unique<State>()) {
  QT_CHECK(state_->context != nullptr);
  QT_CHECK(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::add(std::span<const std::byte> bytes) {
  QT_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  QT_CHECK(EVP_DigestFinal_ex(state_->context, digest.data(), &size) == 1);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

// Read, not mapped: a file that another process cuts short meanwhile must not end this one.
Result<std::string> sha256_of_file(const std::filesystem::path& path) {
  const auto failed = [&](const char* what) {
    const int reason = errno;
    return Error(reason == ENOENT ? Code::kNotFound : Code::kIo,
                 path.string() + ": " + what + ": " + std::strerror(reason));
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                             &std::fclose);
  if (!file) return failed("cannot open");
  Sha256 hash;
  std::vector<std::byte> buffer(size_t{1} << 18);
  while (const size_t n = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
    hash.add(std::span(buffer).first(n));
  }
  if (std::ferror(file.get()) != 0) return failed("cannot read");
  return hash.finish();
}

}  // namespace quintet::io

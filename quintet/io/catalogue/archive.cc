#include "quintet/io/catalogue/archive.h"

#include <zip.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace quintet::io {

struct Archive::State {
  zip_t* zip = nullptr;
  State() = default;
  ~State() {
    if (zip != nullptr) zip_discard(zip);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

namespace {

std::string text_of(zip_error_t& error) {
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

struct ZipFileCloser {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

}  // namespace

Archive::Archive(std::unique_ptr<State> state) : state_(std::move(state)) {}
Archive::Archive(Archive&&) noexcept = default;
Archive& Archive::operator=(Archive&&) noexcept = default;
Archive::~Archive() = default;

Result<Archive> Archive::open(std::span<const std::byte> bytes) {
  // To libzip, nothing is an archive without members.
  if (bytes.empty()) return Error(Code::kCorrupt, "not a ZIP archive: it is empty");
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (source == nullptr) return Error(Code::kCorrupt, "not a ZIP archive: " + text_of(error));
  auto state = std::make_unique<State>();
  state->zip = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
  if (state->zip == nullptr) {
    zip_source_free(source);
    return Error(Code::kCorrupt, "not a whole ZIP archive: " + text_of(error));
  }
  zip_error_fini(&error);
  return Archive(std::move(state));
}

uint64_t Archive::size() const {
  return static_cast<uint64_t>(std::max<zip_int64_t>(zip_get_num_entries(state_->zip, 0), 0));
}

std::string Archive::name(uint64_t index) const {
  const char* text = zip_get_name(state_->zip, index, 0);
  return text != nullptr ? text : "";
}

uint64_t Archive::member_bytes(uint64_t index) const {
  zip_stat_t info;
  const bool known =
      zip_stat_index(state_->zip, index, 0, &info) == 0 && (info.valid & ZIP_STAT_SIZE) != 0;
  return known ? info.size : 0;
}

Result<void> Archive::extract(const std::string& member, uint64_t bytes,
                              const ByteSink& sink) const {
  if (!is_safe_member(member)) return Error(Code::kCorrupt, member + ": unsafe name in an archive");
  const zip_int64_t found = zip_name_locate(state_->zip, member.c_str(), 0);
  if (found < 0) return Error(Code::kNotFound, member + ": not in the archive");
  const auto index = static_cast<zip_uint64_t>(found);
  zip_stat_t info;
  if (zip_stat_index(state_->zip, index, 0, &info) != 0 || (info.valid & ZIP_STAT_SIZE) == 0) {
    return Error(Code::kCorrupt, member + ": " + zip_strerror(state_->zip));
  }
  if ((info.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && info.encryption_method != ZIP_EM_NONE) {
    return Error(Code::kUnsupported, member + ": is encrypted");
  }
  const auto wrong_size = [&](uint64_t actual) {
    return Error(Code::kCorrupt, member + ": has " + std::to_string(actual) +
                                     " bytes in the archive, expected " + std::to_string(bytes));
  };
  if (info.size != bytes) return wrong_size(info.size);
  const std::unique_ptr<zip_file_t, ZipFileCloser> file(zip_fopen_index(state_->zip, index, 0));
  if (!file) return Error(Code::kUnsupported, member + ": " + zip_strerror(state_->zip));
  std::vector<std::byte> buffer(size_t{1} << 18);
  uint64_t done = 0;
  // To the very end: libzip compares the CRC when it is there. The size in the directory is a
  // claim; what really comes out is counted.
  while (true) {
    const zip_int64_t n = zip_fread(file.get(), buffer.data(), buffer.size());
    if (n < 0) return Error(Code::kCorrupt, member + ": " + zip_file_strerror(file.get()));
    if (n == 0) break;
    done += static_cast<uint64_t>(n);
    if (done > bytes) return wrong_size(done);
    QT_TRY_VOID(sink(std::span(buffer).first(static_cast<size_t>(n))));
  }
  if (done != bytes) return wrong_size(done);
  return {};
}

bool is_safe_member(const std::string& name) {
  if (name.empty() || name.size() > 1024) return false;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return false;
  }
  std::string_view rest = name;
  while (true) {
    const size_t slash = rest.find('/');
    const std::string_view component = rest.substr(0, slash);
    if (component.empty() || component == "." || component == "..") return false;
    if (slash == std::string_view::npos) return true;
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace quintet::io

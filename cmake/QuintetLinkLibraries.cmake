# The libraries that quintet links. Used by this project's build and, installed beside the package, by
# find_package(quintet): a static library needs them again where it is linked.
find_package(Threads REQUIRED)
find_package(CURL REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(SNDFILE REQUIRED IMPORTED_TARGET sndfile)
pkg_check_modules(MPG123 REQUIRED IMPORTED_TARGET libmpg123)
pkg_check_modules(SOXR REQUIRED IMPORTED_TARGET soxr)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)

set(QUINTET_LINK_LIBRARIES
  Threads::Threads CURL::libcurl OpenSSL::Crypto ZLIB::ZLIB
  PkgConfig::SNDFILE PkgConfig::MPG123 PkgConfig::SOXR PkgConfig::PCRE2 PkgConfig::UTF8PROC
  PkgConfig::LIBZIP)

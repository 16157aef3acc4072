# Everything here is a Debian package; scripts/setup installs the list in scripts/packages.txt.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(CURL REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
pkg_check_modules(SNDFILE REQUIRED IMPORTED_TARGET sndfile)
pkg_check_modules(MPG123 REQUIRED IMPORTED_TARGET libmpg123)
pkg_check_modules(SOXR REQUIRED IMPORTED_TARGET soxr)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)

set(QUINTET_LINK_LIBRARIES
  Threads::Threads CURL::libcurl OpenSSL::Crypto ZLIB::ZLIB
  PkgConfig::SNDFILE PkgConfig::MPG123 PkgConfig::SOXR
  PkgConfig::PCRE2 PkgConfig::UTF8PROC PkgConfig::LIBZIP)

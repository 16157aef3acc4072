# Everything here is a Debian package; scripts/setup installs the list in scripts/packages.txt.
find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 REQUIRED)
include(QuintetLinkLibraries)

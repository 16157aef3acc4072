# `cmake --install`: the program, the library, the public headers, and find_package(quintet).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Appends `header` (a path from the repository's root) and every header of ours that it includes,
# directly or not, to the list named `out`.
function(qt_collect_headers header out)
  set(path "${PROJECT_SOURCE_DIR}/${header}")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${path}")
  set(found ${${out}} "${header}")
  file(STRINGS "${path}" includes REGEX "^#include \"quintet/")
  foreach(include IN LISTS includes)
    string(REGEX REPLACE "^#include \"([^\"]+)\".*" "\\1" included "${include}")
    if(NOT included IN_LIST found)
      qt_collect_headers("${included}" found)
    endif()
  endforeach()
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

set(public_headers)
qt_collect_headers(quintet/quintet.h public_headers)
foreach(header IN LISTS public_headers)
  get_filename_component(folder "${header}" DIRECTORY)
  install(FILES "${header}" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/${folder}")
endforeach()

install(TARGETS quintet_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(TARGETS quintet EXPORT quintet-targets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
set(package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/quintet")
install(EXPORT quintet-targets NAMESPACE quintet:: DESTINATION "${package_folder}")
configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/quintet-config.cmake.in" "${CMAKE_CURRENT_BINARY_DIR}/quintet-config.cmake"
  INSTALL_DESTINATION "${package_folder}")
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(
  "${CMAKE_CURRENT_BINARY_DIR}/quintet-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_LIST_DIR}/QuintetLinkLibraries.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/quintet-config.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/quintet-config-version.cmake"
        DESTINATION "${package_folder}")

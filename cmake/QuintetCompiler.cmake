# Flags for every target of the project. No -march, no per-file flags: instruction sets are chosen at
# run time (quintet/kernels/isa.h).
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

add_library(quintet_options INTERFACE)
target_compile_options(quintet_options INTERFACE
  -Wall -Wextra -Wshadow -Wundef -Wnon-virtual-dtor -Woverloaded-virtual -Wdouble-promotion
  # Multiply-add is fused where the source says so and nowhere else, so that results differ between
  # instruction sets only where a kernel chose it.
  -ffp-contract=off)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  target_compile_options(quintet_options INTERFACE -march=x86-64-v2)
endif()
if(QUINTET_WARNINGS_AS_ERRORS)
  target_compile_options(quintet_options INTERFACE -Werror)
endif()
if(QUINTET_SANITIZE)
  target_compile_options(quintet_options INTERFACE
    -fsanitize=${QUINTET_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  target_link_options(quintet_options INTERFACE -fsanitize=${QUINTET_SANITIZE})
endif()
if(QUINTET_FUZZERS)
  target_compile_options(quintet_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Each dependency is taken from the machine where it is installed, else fetched from its release.
include(FetchContent)

# siamese_find_or_fetch(NAME VERSION URL): find_package(NAME VERSION), else FetchContent.
function(siamese_find_or_fetch name version url)
  find_package(${name} ${version} QUIET)
  if(${name}_FOUND)
    message(STATUS "${name}: installed, version ${${name}_VERSION}")
  else()
    message(STATUS "${name}: not installed, fetching ${url}")
    FetchContent_Declare(${name} URL ${url} DOWNLOAD_EXTRACT_TIMESTAMP OFF SYSTEM)
    FetchContent_MakeAvailable(${name})
  endif()
endfunction()

set(BUILD_TESTING_BEFORE ${BUILD_TESTING})
set(BUILD_TESTING OFF)  # no tests of fetched projects
set(BENCHMARK_ENABLE_TESTING OFF)
set(BENCHMARK_ENABLE_GTEST_TESTS OFF)
set(EIGEN_BUILD_DOC OFF)
siamese_find_or_fetch(Eigen3 3.4
  https://gitlab.com/libeigen/eigen/-/archive/3.4.0/eigen-3.4.0.tar.gz)
siamese_find_or_fetch(fmt 9 https://github.com/fmtlib/fmt/archive/refs/tags/9.1.0.tar.gz)
siamese_find_or_fetch(CLI11 2.1 https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.1.2.tar.gz)
siamese_find_or_fetch(nlohmann_json 3.11
  https://github.com/nlohmann/json/archive/refs/tags/v3.11.2.tar.gz)
siamese_find_or_fetch(GTest 1.12
  https://github.com/google/googletest/archive/refs/tags/release-1.12.1.tar.gz)
siamese_find_or_fetch(benchmark 1.7
  https://github.com/google/benchmark/archive/refs/tags/v1.7.1.tar.gz)
set(BUILD_TESTING ${BUILD_TESTING_BEFORE})

if(SIAMESE_SANITIZE MATCHES "thread")
  # No OpenMP runtime at hand is built for ThreadSanitizer, which would report races inside it. Eigen
  # and the reference run on one thread then; the CPU kernels have threads of their own.
  message(STATUS "OpenMP: off, because ThreadSanitizer cannot see its synchronisation")
  add_library(OpenMP::OpenMP_CXX INTERFACE IMPORTED)
  target_compile_options(OpenMP::OpenMP_CXX INTERFACE -Wno-unknown-pragmas)
else()
  find_package(OpenMP REQUIRED COMPONENTS CXX)
endif()

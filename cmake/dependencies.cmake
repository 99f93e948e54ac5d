# Each dependency is taken from the machine where it is installed, else fetched from its release.
include(FetchContent)

# siamese_find_or_fetch(NAME VERSION URL SHA256): find_package(NAME VERSION), else FetchContent of an
# archive with that sum.
function(siamese_find_or_fetch name version url sha256)
  find_package(${name} ${version} QUIET)
  if(${name}_FOUND)
    message(STATUS "${name}: installed, version ${${name}_VERSION}")
  else()
    message(STATUS "${name}: not installed, fetching ${url}")
    FetchContent_Declare(${name} SYSTEM URL ${url} URL_HASH SHA256=${sha256}
      DOWNLOAD_EXTRACT_TIMESTAMP OFF)
    FetchContent_MakeAvailable(${name})
  endif()
endfunction()

set(BUILD_TESTING_BEFORE ${BUILD_TESTING})
set(BUILD_TESTING OFF)  # no tests of fetched projects
set(BENCHMARK_ENABLE_TESTING OFF)
set(BENCHMARK_ENABLE_GTEST_TESTS OFF)
set(EIGEN_BUILD_DOC OFF)
siamese_find_or_fetch(Eigen3 3.4
  https://gitlab.com/libeigen/eigen/-/archive/3.4.0/eigen-3.4.0.tar.gz
  8586084f71f9bde545ee7fa6d00288b264a2b7ac3607b974e54d13e7162c1c72)
siamese_find_or_fetch(fmt 9
  https://github.com/fmtlib/fmt/archive/refs/tags/9.1.0.tar.gz
  5dea48d1fcddc3ec571ce2058e13910a0d4a6bab4cc09a809d8b1dd1c88ae6f2)
siamese_find_or_fetch(CLI11 2.1
  https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.1.2.tar.gz
  26291377e892ba0e5b4972cdfd4a2ab3bf53af8dac1f4ea8fe0d1376b625c8cb)
siamese_find_or_fetch(nlohmann_json 3.11
  https://github.com/nlohmann/json/archive/refs/tags/v3.11.2.tar.gz
  d69f9deb6a75e2580465c6c4c5111b89c4dc2fa94e3a85fcd2ffcd9a143d9273)
siamese_find_or_fetch(GTest 1.12
  https://github.com/google/googletest/archive/refs/tags/release-1.12.1.tar.gz
  81964fe578e9bd7c94dfdb09c8e4d6e6759e19967e397dbea48d1c10e45d0df2)
siamese_find_or_fetch(benchmark 1.7
  https://github.com/google/benchmark/archive/refs/tags/v1.7.1.tar.gz
  6430e4092653380d9dc4ccb45a1e2dc9259d581f4866dc0759713126056bc1d7)
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

# The target `siamese_options` carries what every target of the project compiles with.
add_library(siamese_options INTERFACE)
target_include_directories(siamese_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_features(siamese_options INTERFACE cxx_std_20)

set(warnings -Wall -Wextra -Wpedantic)
if(SIAMESE_WERROR)
  list(APPEND warnings -Werror)
endif()
target_compile_options(siamese_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${warnings}>")

if(SIAMESE_HAS_CUDA)
  # Uncompressed PTX lets the virtual GPU read it; relaxed constexpr lets device code call the plain
  # constexpr functions of model/. The host compiler's -Wpedantic would reject nvcc's own output.
  set(cuda_flags -lineinfo --expt-relaxed-constexpr --compress-mode=none
    -Xcompiler=-Wall,-Wextra)
  if(SIAMESE_WERROR)
    list(APPEND cuda_flags --Werror=all-warnings -Xcompiler=-Werror)
  endif()
  target_compile_options(siamese_options INTERFACE "$<$<COMPILE_LANGUAGE:CUDA>:${cuda_flags}>")
endif()

if(SIAMESE_SANITIZE)
  set(sanitize -fsanitize=${SIAMESE_SANITIZE} -fno-omit-frame-pointer)
  if(SIAMESE_SANITIZE MATCHES "undefined")
    list(APPEND sanitize -fno-sanitize-recover=undefined)
  endif()
  target_compile_options(siamese_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${sanitize}>")
  target_link_options(siamese_options INTERFACE ${sanitize})
endif()

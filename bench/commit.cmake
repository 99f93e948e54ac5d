# Run at every build: writes OUTPUT, a header with the commit of SOURCE, where it has changed.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --tags
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT commit)
  set(commit "unknown")
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT
  "#pragma once\n\nnamespace siamese::bench {\n\n\
inline constexpr const char* commit = \"@commit@\";\n\n}  // namespace siamese::bench\n")

# Runs COMMAND (a list) and fails unless it exits with CODE and prints something that matches TEXT.
#   cmake -DCOMMAND=... -DCODE=3 -DTEXT=... -P expect.cmake
execute_process(COMMAND ${COMMAND} RESULT_VARIABLE code OUTPUT_VARIABLE output
  ERROR_VARIABLE errors)
message("${output}${errors}")
if(NOT code STREQUAL CODE)
  message(FATAL_ERROR "exit code ${code}, expected ${CODE}")
endif()
if(NOT "${output}${errors}" MATCHES "${TEXT}")
  message(FATAL_ERROR "no text that matches '${TEXT}'")
endif()

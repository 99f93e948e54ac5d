# Compares the symbols, with their versions, of the stand-in and of the real CUDA runtime: whatever
# a program can call has to be there, if only to say that it is not supported.
#   cmake -DNM=nm -DSTAND_IN=libcudart.so.13 -DREAL=libcudart.so -P exports.cmake
function(symbols_of library result)
  execute_process(COMMAND ${NM} -D --defined-only ${library} OUTPUT_VARIABLE text
    COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[A-Za-z_]+@@libcudart[.]so[.]13" symbols "${text}")
  set(${result} "${symbols}" PARENT_SCOPE)
endfunction()

symbols_of(${STAND_IN} here)
symbols_of(${REAL} missing)
list(LENGTH missing total)
list(REMOVE_ITEM missing ${here})
if(missing OR total LESS 300)
  message(FATAL_ERROR "of ${total} symbols these are missing: ${missing}")
endif()

# Runs saxpy with counters and compares the last launch, of 10,000 elements in 79 blocks of 128
# threads, with what its source says; then again with another seed, which may not change a byte.
#   cmake -DRUN=vgpu-run -DPROGRAM=saxpy -DFOLDER=... -P counters.cmake
foreach(seed 0 1)
  execute_process(COMMAND ${RUN} --seed=${seed} --counters=${FOLDER}/saxpy-${seed}.json ${PROGRAM}
    COMMAND_ERROR_IS_FATAL ANY)
  file(READ ${FOLDER}/saxpy-${seed}.json counters_${seed})
endforeach()
if(NOT counters_0 STREQUAL counters_1)
  message(FATAL_ERROR "the counters depend on the seed")
endif()

string(JSON launches LENGTH "${counters_0}")
if(NOT launches EQUAL 7)
  message(FATAL_ERROR "${launches} launches, expected 7")
endif()

function(expect_counter want)
  string(JSON got GET "${counters_0}" 6 ${ARGN})
  if(NOT got STREQUAL want)
    message(FATAL_ERROR "${ARGN} is ${got}, expected ${want}")
  endif()
endfunction()

expect_counter("saxpy(int, float, float const*, float*)" kernel)
expect_counter(79 grid 0)
expect_counter(128 block 0)
expect_counter(20000 flops f32)          # a fused multiply-add each
expect_counter(0 flops f64)
expect_counter(626 global_load requests) # 313 warps have work, each loads x and y
expect_counter(80000 global_load bytes)
expect_counter(2500 global_load sectors)
expect_counter(313 global_store requests)
expect_counter(40000 global_store bytes)
expect_counter(1250 global_store sectors)
expect_counter(0 shared_load requests)
expect_counter(0 bank_conflicts)
expect_counter(1 divergent_branches)     # the warp that the end of the arrays cuts
expect_counter(0 barriers)

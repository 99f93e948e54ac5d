#pragma once

// The virtual GPU's core, as the runtime stand-in uses it: an address space, modules of PTX in it,
// and launches of their kernels.
//
//   vgpu::Memory memory;
//   auto module = vgpu::Module::load(memory, ptx, "saxpy.cu");
//   vgpu::Launch launch;
//   launch.kernel = module->find_kernel("_Z5saxpyifPfS_");
//   ... grid, block, parameters ...
//   if (vgpu::check(launch, &message) == vgpu::LaunchProblem::none)
//     outcome = vgpu::run(memory, launch, options);

#include "tests/vgpu/check/report.h"
#include "tests/vgpu/counters/counters.h"
#include "tests/vgpu/exec/launch.h"
#include "tests/vgpu/exec/module.h"
#include "tests/vgpu/limits.h"
#include "tests/vgpu/memory/memory.h"

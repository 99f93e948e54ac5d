#pragma once

#include <driver_types.h>

#include "tests/vgpu/runtime/operation.h"

namespace vgpu {

class Runtime;

// The launch that a program asks for; not checked yet, for there may be more to set. `arguments`
// points at one pointer a parameter, each to its value, which is copied.
KernelLaunch build_launch(Runtime& runtime, const void* function, dim3 grid, dim3 block,
                          void** arguments, std::size_t dynamic_shared_bytes);

// Checks it against the kernel and the device. Fails with the error of a launch.
void check_launch(const KernelLaunch& launch);

}  // namespace vgpu

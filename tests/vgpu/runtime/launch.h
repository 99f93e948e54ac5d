#pragma once

#include <driver_types.h>

#include "tests/vgpu/runtime/operation.h"

namespace vgpu {

class Runtime;

// The launch that a program asks for, checked against the kernel and the device. `arguments` points
// at one pointer a parameter, each to its value, which is copied. Fails with the error of a launch.
KernelLaunch prepare_launch(Runtime& runtime, const void* function, dim3 grid, dim3 block,
                            void** arguments, std::size_t dynamic_shared_bytes);

// The last part of the above, for launches with more to set: the check.
void check_launch(const KernelLaunch& launch);

}  // namespace vgpu

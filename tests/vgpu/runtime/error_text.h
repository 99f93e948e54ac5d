#pragma once

#include <driver_types.h>

namespace vgpu {

/// The enumerator's name, such as "cudaErrorInvalidValue"; "unrecognized error code" for a code
/// that is in no list.
const char* error_name(cudaError_t error);

/// One line that says what the error means.
const char* error_text(cudaError_t error);

}  // namespace vgpu

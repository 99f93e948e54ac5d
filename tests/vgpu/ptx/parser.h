#pragma once

#include <string_view>

#include "tests/vgpu/ptx/module.h"

namespace vgpu::ptx {

// The text may be that of several modules, one after another: relocatable device code.
// Throws PtxError (error.h) with the line of the text that cannot be understood.
[[nodiscard]] Module parse(std::string_view text);

}  // namespace vgpu::ptx

#pragma once

#include <string_view>
#include <vector>

#include "tests/vgpu/exec/program.h"

namespace vgpu {

// A function that the device's own library provides: vprintf, __assertfail. The areas of its
// parameters and of its result are the call's, in the caller's frame.
struct Builtin {
  std::string_view name;
  void (*run)(Warp& w, LaneMask mask, const std::vector<ParameterArea>& parameters,
              const std::vector<ParameterArea>& returns);
};

// Null for names that the library does not provide.
[[nodiscard]] const Builtin* find_builtin(std::string_view name);

}  // namespace vgpu

#pragma once

#include <string>
#include <string_view>

namespace vgpu {

// The text, the mangled names in it as C++ writes them. What cannot be one stays as it is.
[[nodiscard]] std::string in_cpp(std::string_view text);

}  // namespace vgpu

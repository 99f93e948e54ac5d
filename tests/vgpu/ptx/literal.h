#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tests/vgpu/ptx/module.h"

namespace vgpu::ptx {

struct Literal {
  Operand::Kind kind = Operand::Kind::integer;  // or real32, real64
  std::uint64_t value = 0;                      // bits
};

// 12, 0x1F, 0b101, 017, 12U, 1.5, 1e-3, 0f3F800000, 0d3FF0000000000000; none when it is no number.
[[nodiscard]] std::optional<Literal> literal_of(std::string_view text);

}  // namespace vgpu::ptx

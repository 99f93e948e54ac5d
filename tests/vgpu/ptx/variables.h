#pragma once

#include <vector>

#include "tests/vgpu/ptx/module.h"
#include "tests/vgpu/ptx/token_reader.h"

// Declarations of variables, with their initial values.
namespace vgpu::ptx {

// .space [.attribute(...)] [.align n] [.v4] .type name[n] = ..., name2 ...;
[[nodiscard]] std::vector<Variable> parse_variables(TokenReader& in, bool external);
// The same for one, between the parentheses of a function.
[[nodiscard]] Variable parse_parameter(TokenReader& in);
// The type that .reg declares; the reader then stands at the names.
[[nodiscard]] Type parse_register_type(TokenReader& in);

}  // namespace vgpu::ptx

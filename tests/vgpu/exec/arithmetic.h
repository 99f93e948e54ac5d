#pragma once

#include "tests/vgpu/exec/builder.h"

// Opcodes that integers and floating-point numbers share: integer.cpp registers them and hands the
// latter to floating.cpp.
namespace vgpu {

[[nodiscard]] bool has_float_type(const Builder& b);
void build_float_add(Builder& b);
void build_float_subtract(Builder& b);
void build_float_multiply(Builder& b);
void build_float_fma(Builder& b);
void build_float_divide(Builder& b);
void build_float_minimum(Builder& b);
void build_float_negate(Builder& b);
void build_float_absolute(Builder& b);

}  // namespace vgpu

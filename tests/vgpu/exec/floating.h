#pragma once

#include <optional>

#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/half.h"

namespace vgpu {

// Takes .rn, .rz, .rm, .rp or .rna.
[[nodiscard]] std::optional<Rounding> take_rounding(Builder& b);
// The instruction makes `operations` useful operations a value.
void count_flops(Builder& b, ptx::Type type, int operations);
// Makes the handler that was chosen run with directed rounding or flushing of denormals (f32, f64).
void apply_mode(Builder& b, ptx::Type type, Rounding rounding, bool ftz);

// div.rn, sqrt.rn and rcp.rn with their rounding modes; the approximate forms are elsewhere.
void build_float_ieee_divide(Builder& b);
void build_float_root(Builder& b);
void build_float_reciprocal(Builder& b);

}  // namespace vgpu

#pragma once

#include <cstdint>
#include <string_view>

namespace vgpu::ptx {

enum class Type : std::uint8_t {
  none,
  pred,
  b8,
  b16,
  b32,
  b64,
  b128,
  u8,
  u16,
  u32,
  u64,
  s8,
  s16,
  s32,
  s64,
  f16,
  f16x2,
  bf16,
  bf16x2,
  tf32,
  f32,
  f64,
};

enum class Space : std::uint8_t { none, reg, local, shared, global, constant, param };

// From the word without its dot: "u32". Type::none or Space::none when it is no such word.
[[nodiscard]] Type type_of(std::string_view word);
[[nodiscard]] Space space_of(std::string_view word);

[[nodiscard]] std::string_view name(Type type);
[[nodiscard]] std::uint32_t bytes(Type type);  // of one register; 0 for predicates
[[nodiscard]] bool is_signed(Type type);       // s8 to s64
[[nodiscard]] bool is_float(Type type);        // f16 to f64

}  // namespace vgpu::ptx

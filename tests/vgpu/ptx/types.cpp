#include "tests/vgpu/ptx/types.h"

#include <cstddef>
#include <iterator>

namespace vgpu::ptx {
namespace {

struct TypeRow {
  std::string_view name;
  std::uint32_t bytes;
};

// In the order of the enumeration.
constexpr TypeRow kTypes[] = {
    {"none", 0},   {"pred", 0}, {"b8", 1},  {"b16", 2}, {"b32", 4},   {"b64", 8},
    {"b128", 16},  {"u8", 1},   {"u16", 2}, {"u32", 4}, {"u64", 8},   {"s8", 1},
    {"s16", 2},    {"s32", 4},  {"s64", 8}, {"f16", 2}, {"f16x2", 4}, {"bf16", 2},
    {"bf16x2", 4}, {"tf32", 4}, {"f32", 4}, {"f64", 8},
};
static_assert(std::size(kTypes) == static_cast<std::size_t>(Type::f64) + 1);

}  // namespace

Type type_of(std::string_view word) {
  for (std::size_t i = 1; i < std::size(kTypes); ++i) {
    if (kTypes[i].name == word) return static_cast<Type>(i);
  }
  return Type::none;
}

Space space_of(std::string_view word) {
  if (word == "reg") return Space::reg;
  if (word == "local") return Space::local;
  if (word == "shared") return Space::shared;
  if (word == "global") return Space::global;
  if (word == "const") return Space::constant;
  if (word == "param") return Space::param;
  return Space::none;
}

std::string_view name(Type type) { return kTypes[static_cast<std::size_t>(type)].name; }
std::uint32_t bytes(Type type) { return kTypes[static_cast<std::size_t>(type)].bytes; }
bool is_signed(Type type) { return type >= Type::s8 && type <= Type::s64; }
bool is_float(Type type) { return type >= Type::f16; }

}  // namespace vgpu::ptx

// copysign and testp: what a floating-point number's bits say.
#include <cstdint>

#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/typed.h"

namespace vgpu {
namespace {

using ptx::Type;

// The second operand with the sign of the first.
template <class Bits>
struct CopySign {
  Bits operator()(Bits sign, Bits value) const {
    constexpr Bits kSign = Bits{1} << (8 * sizeof(Bits) - 1);
    return (sign & kSign) | (value & ~kSign);
  }
};

void build_copy_sign(Builder& b) {
  const Type type = b.take_type();
  b.expect_operands(3);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, type);
  if (type == Type::f32) b.out.handler = run_binary<CopySign<std::uint32_t>, std::uint32_t>;
  if (type == Type::f64) b.out.handler = run_binary<CopySign<std::uint64_t>, std::uint64_t>;
}

enum class Property : std::uint8_t { finite, infinite, number, notanumber, normal, subnormal };

template <class Bits, int kMantissa>
bool holds(Property property, Bits bits) {
  constexpr Bits kMagnitude = ~Bits{0} >> 1;
  constexpr Bits kInfinity = (kMagnitude >> kMantissa) << kMantissa;
  const Bits m = bits & kMagnitude;
  switch (property) {
    case Property::finite:
      return m < kInfinity;
    case Property::infinite:
      return m == kInfinity;
    case Property::number:
      return m <= kInfinity;
    case Property::notanumber:
      return m > kInfinity;
    case Property::normal:
      return m >= (Bits{1} << kMantissa) && m < kInfinity;
    case Property::subnormal:
      return m != 0 && m < (Bits{1} << kMantissa);
  }
  return false;
}

template <class Bits, int kMantissa>
void run_test(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto* a = row<Bits>(w, ins.a);
  const auto property = static_cast<Property>(ins.variant);
  const LaneMask value =
      lanes_where([=](std::uint32_t lane) { return holds<Bits, kMantissa>(property, a[lane]); });
  LaneMask& to = predicate(w, ins.to);
  to = blend(to, value, mask);
}

void build_test(Builder& b) {
  const int property =
      b.take_any({"finite", "infinite", "number", "notanumber", "normal", "subnormal"});
  if (property < 0) b.unsupported("this property");
  b.out.variant = static_cast<std::uint32_t>(property);
  const Type type = b.take_type();
  b.expect_operands(2);
  b.out.to = b.predicate_result(b.operand(0));
  b.out.a = b.value(1, type);
  if (type == Type::f32) b.out.handler = run_test<std::uint32_t, 23>;
  if (type == Type::f64) b.out.handler = run_test<std::uint64_t, 52>;
}

}  // namespace

void add_float_signs(OpcodeTable& table) {
  table.add("copysign", InstructionClass::floating, build_copy_sign);
  table.add("testp", InstructionClass::floating, build_test);
}

}  // namespace vgpu

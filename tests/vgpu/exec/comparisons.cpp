// setp, set, selp and slct.
#include <cmath>
#include <cstdint>
#include <tuple>
#include <utility>

#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/half.h"
#include "tests/vgpu/exec/typed.h"

namespace vgpu {
namespace {

using ptx::Type;

// Unordered comparisons (equ, ltu, ...) also hold when an operand is NaN.
struct Equal {
  template <class T>
  bool operator()(T a, T b) const {
    return a == b;
  }
};
struct NotEqual {
  template <class T>
  bool operator()(T a, T b) const {
    return a < b || a > b;
  }
};
struct Less {
  template <class T>
  bool operator()(T a, T b) const {
    return a < b;
  }
};
struct LessEqual {
  template <class T>
  bool operator()(T a, T b) const {
    return a <= b;
  }
};
struct Greater {
  template <class T>
  bool operator()(T a, T b) const {
    return a > b;
  }
};
struct GreaterEqual {
  template <class T>
  bool operator()(T a, T b) const {
    return a >= b;
  }
};
struct EqualUnordered {
  template <class T>
  bool operator()(T a, T b) const {
    return !(a < b || a > b);
  }
};
struct NotEqualUnordered {
  template <class T>
  bool operator()(T a, T b) const {
    return a != b;
  }
};
struct LessUnordered {
  template <class T>
  bool operator()(T a, T b) const {
    return !(a >= b);
  }
};
struct LessEqualUnordered {
  template <class T>
  bool operator()(T a, T b) const {
    return !(a > b);
  }
};
struct GreaterUnordered {
  template <class T>
  bool operator()(T a, T b) const {
    return !(a <= b);
  }
};
struct GreaterEqualUnordered {
  template <class T>
  bool operator()(T a, T b) const {
    return !(a < b);
  }
};
struct BothNumbers {
  template <class T>
  bool operator()(T a, T b) const {
    return !std::isnan(a) && !std::isnan(b);
  }
};
struct AnyNaN {
  template <class T>
  bool operator()(T a, T b) const {
    return std::isnan(a) || std::isnan(b);
  }
};

using Compare = LaneMask (*)(Warp&, std::uint32_t a, std::uint32_t b);

template <class Operation, class T>
LaneMask compare(Warp& w, std::uint32_t a_row, std::uint32_t b_row) {
  const T* a = row<T>(w, a_row);
  const T* b = row<T>(w, b_row);
  return lanes_where([=](std::uint32_t lane) { return Operation{}(a[lane], b[lane]); });
}

float flushed(float v) { return std::abs(v) < 0x1p-126f ? std::copysign(0.0f, v) : v; }
template <class Operation>
LaneMask compare_flushed(Warp& w, std::uint32_t a_row, std::uint32_t b_row) {
  const float* a = row<float>(w, a_row);
  const float* b = row<float>(w, b_row);
  return lanes_where(
      [=](std::uint32_t lane) { return Operation{}(flushed(a[lane]), flushed(b[lane])); });
}

// Part kPart of kParts values a lane.
template <class Operation, class T, int kParts, int kPart>
LaneMask compare_half(Warp& w, std::uint32_t a_row, std::uint32_t b_row) {
  const T* a = row<T>(w, a_row);
  const T* b = row<T>(w, b_row);
  return lanes_where([=](std::uint32_t lane) {
    return Operation{}(to_double(a[kParts * lane + kPart]), to_double(b[kParts * lane + kPart]));
  });
}

struct Comparison {
  Compare first = nullptr;
  Compare second = nullptr;  // of the paired types
};

template <class Operation>
Comparison floating(Type type, bool ftz) {
  switch (type) {
    case Type::f32:
      return {ftz ? compare_flushed<Operation> : compare<Operation, float>, nullptr};
    case Type::f64:
      return {compare<Operation, double>, nullptr};
    case Type::f16:
      return {compare_half<Operation, F16, 1, 0>, nullptr};
    case Type::bf16:
      return {compare_half<Operation, BF16, 1, 0>, nullptr};
    case Type::f16x2:
      return {compare_half<Operation, F16, 2, 0>, compare_half<Operation, F16, 2, 1>};
    case Type::bf16x2:
      return {compare_half<Operation, BF16, 2, 0>, compare_half<Operation, BF16, 2, 1>};
    default:
      return {};
  }
}

template <class Operation>
Comparison any_type(Type type, bool ftz) {
  switch (type) {
    case Type::u16:
    case Type::b16:
      return {compare<Operation, std::uint16_t>, nullptr};
    case Type::u32:
    case Type::b32:
      return {compare<Operation, std::uint32_t>, nullptr};
    case Type::u64:
    case Type::b64:
      return {compare<Operation, std::uint64_t>, nullptr};
    case Type::s16:
      return {compare<Operation, std::int16_t>, nullptr};
    case Type::s32:
      return {compare<Operation, std::int32_t>, nullptr};
    case Type::s64:
      return {compare<Operation, std::int64_t>, nullptr};
    default:
      return floating<Operation>(type, ftz);
  }
}

// lo, ls, hi, hs are unsigned comparisons by another name; the signed types do not have them.
Comparison comparison(std::string_view word, Type type, bool ftz) {
  if (word == "eq") return any_type<Equal>(type, ftz);
  if (word == "ne") return any_type<NotEqual>(type, ftz);
  if (word == "lt" || word == "lo") return any_type<Less>(type, ftz);
  if (word == "le" || word == "ls") return any_type<LessEqual>(type, ftz);
  if (word == "gt" || word == "hi") return any_type<Greater>(type, ftz);
  if (word == "ge" || word == "hs") return any_type<GreaterEqual>(type, ftz);
  if (word == "equ") return floating<EqualUnordered>(type, ftz);
  if (word == "neu") return floating<NotEqualUnordered>(type, ftz);
  if (word == "ltu") return floating<LessUnordered>(type, ftz);
  if (word == "leu") return floating<LessEqualUnordered>(type, ftz);
  if (word == "gtu") return floating<GreaterUnordered>(type, ftz);
  if (word == "geu") return floating<GreaterEqualUnordered>(type, ftz);
  if (word == "num") return floating<BothNumbers>(type, ftz);
  if (word == "nan") return floating<AnyNaN>(type, ftz);
  return {};
}

enum class Combine : std::uint8_t { none, with_and, with_or, with_xor };

LaneMask combine(Combine how, LaneMask value, LaneMask with) {
  switch (how) {
    case Combine::none:
      return value;
    case Combine::with_and:
      return value & with;
    case Combine::with_or:
      return value | with;
    case Combine::with_xor:
      return value ^ with;
  }
  return value;
}

struct SetDetail : Detail {
  Comparison compare;
  Combine combine = Combine::none;
  std::uint32_t with = 0;
  LaneMask with_flip = 0;
  std::uint32_t second = 0;  // predicate of the complement, or of the second value of a pair
  bool has_second = false;
  Type to_type = Type::none;  // of set
};

void run_setp(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const SetDetail&>(*ins.detail);
  const LaneMask value = d.compare.first(w, ins.a, ins.b);
  const LaneMask with = predicate(w, d.with) ^ d.with_flip;
  LaneMask& to = predicate(w, ins.to);
  if (d.has_second) {
    const LaneMask other = d.compare.second != nullptr ? d.compare.second(w, ins.a, ins.b) : ~value;
    LaneMask& second = predicate(w, d.second);
    second = blend(second, combine(d.combine, other, with), mask);
  }
  to = blend(to, combine(d.combine, value, with), mask);
}

// The form of nearly all comparisons: one result, nothing to combine with.
void run_setp_plain(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const SetDetail&>(*ins.detail);
  LaneMask& to = predicate(w, ins.to);
  to = blend(to, d.compare.first(w, ins.a, ins.b), mask);
}

// set gives all ones or 1.0; the paired types give one for each half.
void run_set(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const SetDetail&>(*ins.detail);
  const LaneMask with = predicate(w, d.with) ^ d.with_flip;
  const LaneMask first = combine(d.combine, d.compare.first(w, ins.a, ins.b), with);
  const LaneMask second =
      d.compare.second != nullptr ? combine(d.combine, d.compare.second(w, ins.a, ins.b), with) : 0;
  const auto one = [&]() -> std::uint32_t {
    switch (d.to_type) {
      case Type::f32:
        return 0x3f800000;
      case Type::f16:
      case Type::f16x2:
        return 0x3c00;
      case Type::bf16:
      case Type::bf16x2:
        return 0x3f80;
      case Type::u16:
      case Type::s16:
        return 0xffff;
      default:
        return d.compare.second != nullptr ? 0xffff : 0xffffffff;
    }
  }();
  const auto value = [=](std::uint32_t lane) {
    return (((first >> lane) & 1) != 0 ? one : 0) | (((second >> lane) & 1) != 0 ? one << 16 : 0);
  };
  if (bytes(d.to_type) == 2) {
    set_lanes(row<std::uint16_t>(w, ins.to), mask,
              [=](std::uint32_t lane) { return static_cast<std::uint16_t>(value(lane)); });
  } else {
    set_lanes(row<std::uint32_t>(w, ins.to), mask, value);
  }
}

void build_set_operands(Builder& b, SetDetail& d, Type type, std::string_view word, bool ftz) {
  d.compare = comparison(word, type, ftz);
  if (d.compare.first == nullptr) b.unsupported("this comparison");
  b.expect_operands(d.combine == Combine::none ? 3 : 4);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, type);
  if (d.combine != Combine::none) {
    std::tie(d.with, d.with_flip) = b.predicate_value(b.operand(3));
  }
}

void build_setp(Builder& b) {
  auto& d = b.detail<SetDetail>();
  const std::string_view word = b.take_next();
  d.combine = static_cast<Combine>(b.take_any({"and", "or", "xor"}) + 1);
  const bool ftz = b.take("ftz");
  build_set_operands(b, d, b.take_type(), word, ftz);
  const ptx::Operand& to = b.operand(0);
  if (to.kind == ptx::Operand::Kind::pair) {
    d.has_second = true;
    b.out.to = b.predicate_result(to.elements[0]);
    d.second = b.predicate_result(to.elements[1]);
  } else {
    b.out.to = b.predicate_result(to);
  }
  b.out.handler = !d.has_second && d.combine == Combine::none ? run_setp_plain : run_setp;
}

void build_set(Builder& b) {
  auto& d = b.detail<SetDetail>();
  const std::string_view word = b.take_next();
  d.combine = static_cast<Combine>(b.take_any({"and", "or", "xor"}) + 1);
  const bool ftz = b.take("ftz");
  d.to_type = b.take_type();
  build_set_operands(b, d, b.take_type(), word, ftz);
  b.out.to = b.result(0, d.to_type);
  b.out.handler = run_set;
}

// ---- selp, slct ----

template <class T>
void run_select(Warp& w, const Instruction& ins, LaneMask mask) {
  const T* a = row<T>(w, ins.a);
  const T* b = row<T>(w, ins.b);
  const LaneMask choose = predicate(w, ins.c) ^ ins.variant;
  set_lanes(row<T>(w, ins.to), mask,
            [=](std::uint32_t lane) { return ((choose >> lane) & 1) != 0 ? a[lane] : b[lane]; });
}

void build_select(Builder& b) {
  const Type type = b.take_type();
  b.expect_operands(4);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, type);
  std::tie(b.out.c, b.out.variant) = b.predicate_value(b.operand(3));
  switch (bytes(type)) {
    case 2:
      b.out.handler = run_select<std::uint16_t>;
      break;
    case 4:
      b.out.handler = run_select<std::uint32_t>;
      break;
    case 8:
      b.out.handler = run_select<std::uint64_t>;
      break;
    default:
      break;
  }
}

// a where c >= 0 (not NaN), else b.
template <class T, class C>
void run_select_sign(Warp& w, const Instruction& ins, LaneMask mask) {
  const T* a = row<T>(w, ins.a);
  const T* b = row<T>(w, ins.b);
  const C* c = row<C>(w, ins.c);
  set_lanes(row<T>(w, ins.to), mask,
            [=](std::uint32_t lane) { return c[lane] >= 0 ? a[lane] : b[lane]; });
}

template <class C>
Handler select_sign(Type type) {
  switch (bytes(type)) {
    case 2:
      return run_select_sign<std::uint16_t, C>;
    case 4:
      return run_select_sign<std::uint32_t, C>;
    case 8:
      return run_select_sign<std::uint64_t, C>;
    default:
      return nullptr;
  }
}

void build_select_sign(Builder& b) {
  const bool ftz = b.take("ftz");
  const Type type = b.take_type();
  const Type sign = b.take_type();
  if (ftz && sign != Type::f32) b.unsupported("ftz of this type");
  b.expect_operands(4);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, type);
  b.out.c = b.value(3, sign);
  if (sign == Type::s32) b.out.handler = select_sign<std::int32_t>(type);
  // Flushing makes no difference but for negative denormals, which become -0 >= 0.
  if (sign == Type::f32 && !ftz) b.out.handler = select_sign<float>(type);
}

}  // namespace

void add_comparisons(OpcodeTable& table) {
  table.add("setp", InstructionClass::integer, build_setp);
  table.add("set", InstructionClass::integer, build_set);
  table.add("selp", InstructionClass::move, build_select);
  table.add("slct", InstructionClass::move, build_select_sign);
}

}  // namespace vgpu

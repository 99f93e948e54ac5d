// wmma: matrix products whose fragments a program may only load, store and treat element by
// element, as their layout is the implementation's own.
//
// Here the registers of a fragment, one after the other over all lanes, are the matrix in row-major
// order. Devices hold f16 operands more than once, and so do the eight registers that PTX gives
// them. Traffic is counted for this layout, an element a request and lane.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "tests/vgpu/exec/access.h"
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/compiler.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/fragment.h"
#include "tests/vgpu/exec/lanes.h"

namespace vgpu {
namespace {

using ptx::Operand;
using ptx::Type;

constexpr std::size_t kMostRegisters = 8;
constexpr std::size_t kMostElements = 512;

// Registers of one matrix [rows, columns].
struct Fragment2d {
  int rows = 0, columns = 0;
  std::uint32_t element_bytes = 0;
  std::uint32_t register_bytes = 0;
  std::size_t needed = 0;  // registers that hold every element once
  std::size_t count = 0;   // registers, the rest of which repeat these
  std::array<std::uint32_t, kMostRegisters> registers{};
};

enum class Part { a, b, sum };

struct Shape {
  std::string_view name;
  int m, n, k;
};
constexpr Shape kShapes[] = {{"m16n16k16", 16, 16, 16},
                             {"m32n8k16", 32, 8, 16},
                             {"m8n32k16", 8, 32, 16},
                             {"m16n16k8", 16, 16, 8},
                             {"m8n8k4", 8, 8, 4}};

// k goes with the type of A and B.
bool exists(const Shape& s, Type element) {
  switch (element) {
    case Type::f64:
      return s.k == 4;
    case Type::tf32:
      return s.k == 8;
    case Type::f16:
    case Type::bf16:
    case Type::s8:
    case Type::u8:
      return s.k == 16;
    default:
      return false;
  }
}

const Shape& take_shape(Builder& b) {
  for (const Shape& s : kShapes) {
    if (b.take(s.name)) return s;
  }
  b.unsupported("this shape");
}

Fragment2d fragment_of(Builder& b, const Operand& o, Part part, const Shape& s, Type type,
                       bool result) {
  Fragment2d f;
  f.rows = part == Part::b ? s.k : s.m;
  f.columns = part == Part::a ? s.k : s.n;
  f.element_bytes = bytes(type);
  const Type held = type == Type::f64                        ? Type::f64
                    : part == Part::sum && type != Type::f16 ? type
                                                             : Type::b32;
  f.register_bytes = bytes(held);
  f.needed =
      static_cast<std::size_t>(f.rows * f.columns) * f.element_bytes / f.register_bytes / kLanes;
  f.count = type == Type::f16 && part != Part::sum ? kMostRegisters : f.needed;
  const bool vector = o.kind == Operand::Kind::vector;
  if ((vector ? o.elements.size() : 1) != f.count) b.unsupported("another number of registers");
  for (std::size_t i = 0; i < f.count; ++i) {
    const Operand& r = vector ? o.elements[i] : o;
    f.registers[i] = result ? b.result(r, held) : b.value(r, held);
  }
  return f;
}

// ---- wmma.load, wmma.store ----

struct MoveDetail : AccessDetail {
  Fragment2d fragment;
  bool column_major = false;
  std::uint32_t stride = 0;  // row, in elements
};

void check_alignment(Warp& w, const MoveDetail& d, std::uint64_t address, std::uint32_t stride) {
  const auto fragment = static_cast<std::uint32_t>(d.fragment.count) * d.fragment.register_bytes;
  const std::uint32_t of_stride = std::min(fragment, 16u);
  if (address % fragment == 0 && stride * d.bytes % of_stride == 0) return;
  const std::string message =
      fmt::format("wmma: the address must be a multiple of {} bytes and the stride of {}; {}",
                  fragment, of_stride, describe_thread(w, 0));
  report(w, ReportKind::misaligned, message);
  throw Fault{FaultKind::misaligned_address, message};
}

template <bool kLoad>
void run_move(Warp& w, const Instruction& ins, LaneMask mask) {
  if (!whole_warp(w, mask)) return;
  const auto& d = static_cast<const MoveDetail&>(*ins.detail);
  const Fragment2d& f = d.fragment;
  std::uint64_t base[kLanes];
  effective_addresses(w, ins.a, d.address_bytes, ins.immediate, base);
  const std::uint32_t stride = row<std::uint32_t>(w, d.stride)[0];
  check_alignment(w, d, base[0], stride);
  const std::uint32_t per_register = f.register_bytes / f.element_bytes;
  const auto columns = static_cast<std::uint32_t>(f.columns);
  for (std::uint32_t i = 0; i < f.needed * per_register; ++i) {
    const std::uint32_t part = i % per_register;
    std::byte* registers =
        w.rows + f.registers[i / per_register] + std::size_t{part} * f.element_bytes;
    std::uint64_t addresses[kLanes];
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      const std::uint32_t element = (i / per_register * kLanes + lane) * per_register + part;
      const std::uint64_t r = element / columns;
      const std::uint64_t c = element % columns;
      const std::uint64_t at = d.column_major ? c * stride + r : r * stride + c;
      addresses[lane] = base[lane] + at * f.element_bytes;
    }
    Lanes lanes;
    d.resolve(w, d, addresses, kAllLanes, lanes);
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      std::byte* held = registers + std::size_t{lane} * f.register_bytes;
      if constexpr (kLoad) {
        std::memcpy(held, lanes.at[lane], f.element_bytes);
      } else {
        std::memcpy(lanes.at[lane], held, f.element_bytes);
      }
    }
  }
  if constexpr (kLoad) {
    for (std::size_t i = f.needed; i < f.count; ++i) {
      std::memcpy(w.rows + f.registers[i], w.rows + f.registers[i % f.needed],
                  std::size_t{kLanes} * f.register_bytes);
    }
  } else {
    ++w.worker->progress;
  }
}

// wmma.load.a.sync.aligned.row.m16n16k16.global.f16 {...}, [address], stride
void build_move(Builder& b, bool load) {
  auto& d = b.detail<MoveDetail>();
  const int matrix = b.take_any({"a", "b", "c", "d"});
  const Part part = matrix == 0 ? Part::a : matrix == 1 ? Part::b : Part::sum;
  const int layout = b.take_any({"row", "col"});
  if (matrix < 0 || layout < 0) b.unsupported("another form");
  d.column_major = layout == 1;
  const Shape& shape = take_shape(b);
  d.resolve = resolver(take_space(b));
  const Type type = b.take_type();
  const bool known = part == Part::sum
                         ? type == Type::f16 || type == Type::f32 || type == Type::s32 ||
                               (type == Type::f64 && shape.k == 4)
                         : exists(shape, type);
  if (!known) b.unsupported("this type");
  d.kind = load ? AccessKind::load : AccessKind::store;
  d.bytes = d.alignment = bytes(type);
  b.compiler.note_access(d.bytes);
  d.fragment = fragment_of(b, b.operand(load ? 0 : 1), part, shape, type, load);
  const Builder::Address address = b.address(b.operand(load ? 1 : 0));
  d.address_bytes = address.bytes;
  b.out.a = address.row;
  b.out.immediate = address.offset;
  if (b.operands() == 3) {
    d.stride = b.value(2, Type::b32);
  } else {
    b.expect_operands(2);
    const int natural = d.column_major ? d.fragment.rows : d.fragment.columns;
    d.stride = b.layout.constant(static_cast<std::uint64_t>(natural), 4);
  }
  b.out.handler = load ? run_move<true> : run_move<false>;
}

// ---- wmma.mma ----

struct ProductDetail : Detail {
  Fragment2d a, b, c, d;
  bool half_c = false, half_d = false;
};

// The elements of a fragment as they lie, [rows * columns].
template <class Stored>
void gather(Warp& w, const Fragment2d& f, Stored (&elements)[kMostElements]) {
  auto* to = reinterpret_cast<std::byte*>(elements);
  for (std::size_t i = 0; i < f.needed; ++i) {
    std::memcpy(to + i * kLanes * f.register_bytes, w.rows + f.registers[i],
                std::size_t{kLanes} * f.register_bytes);
  }
}

template <class Stored>
void scatter(Warp& w, const Fragment2d& f, const Stored (&elements)[kMostElements]) {
  const auto* from = reinterpret_cast<const std::byte*>(elements);
  for (std::size_t i = 0; i < f.needed; ++i) {
    std::memcpy(w.rows + f.registers[i], from + i * kLanes * f.register_bytes,
                std::size_t{kLanes} * f.register_bytes);
  }
}

template <class Value>
void gather_sums(Warp& w, const Fragment2d& f, bool half, Value (&sums)[kMostElements]) {
  if (!half) return gather(w, f, sums);
  std::uint16_t bits[kMostElements] = {};
  gather(w, f, bits);
  for (int i = 0; i < f.rows * f.columns; ++i) sums[i] = static_cast<Value>(widen_f16(bits[i]));
}

template <class Value>
void scatter_sums(Warp& w, const Fragment2d& f, bool half, Value (&sums)[kMostElements]) {
  const int count = f.rows * f.columns;
  if (half) {
    std::uint16_t bits[kMostElements];
    for (int i = 0; i < count; ++i) bits[i] = narrow_f16(static_cast<float>(sums[i]));
    return scatter(w, f, bits);
  }
  for (int i = 0; i < count; ++i) sums[i] = canonical(sums[i]);
  scatter(w, f, sums);
}

template <class Element, int kDepth>
void run_product(Warp& w, const Instruction& ins, LaneMask mask) {
  using Value = typename Element::Value;
  if (!whole_warp(w, mask)) return;
  const auto& d = static_cast<const ProductDetail&>(*ins.detail);
  typename Element::Stored a[kMostElements] = {};
  typename Element::Stored b[kMostElements] = {};
  Value sums[kMostElements] = {};
  gather(w, d.a, a);
  gather(w, d.b, b);
  gather_sums(w, d.c, d.half_c, sums);
  const int columns = d.b.columns;
  for (int row = 0; row < d.a.rows; row += 8) {
    Value part_a[8][kDepth];
    for (int i = 0; i < 8; ++i) {
      for (int k = 0; k < kDepth; ++k) part_a[i][k] = Element::widen(a[(row + i) * kDepth + k]);
    }
    for (int column = 0; column < columns; column += kFragmentColumns) {
      Value part_b[kDepth][kFragmentColumns];
      for (int k = 0; k < kDepth; ++k) {
        for (int j = 0; j < kFragmentColumns; ++j) {
          part_b[k][j] = Element::widen(b[k * columns + column + j]);
        }
      }
      Value part[8][kFragmentColumns];
      for (int i = 0; i < 8; ++i) {
        std::memcpy(part[i], &sums[(row + i) * columns + column], sizeof part[i]);
      }
      multiply_add(part_a, part_b, part);
      for (int i = 0; i < 8; ++i) {
        std::memcpy(&sums[(row + i) * columns + column], part[i], sizeof part[i]);
      }
    }
  }
  scatter_sums(w, d.d, d.half_d, sums);
}

struct ProductForm {
  Type element;
  Precision precision;
  Handler handler;
};
constexpr ProductForm kForms[] = {
    {Type::f16, Precision::f16, run_product<F16Element, 16>},
    {Type::bf16, Precision::bf16, run_product<Bf16Element, 16>},
    {Type::tf32, Precision::tf32, run_product<Tf32Element, 8>},
    {Type::f64, Precision::f64, run_product<F64Element, 4>},
    {Type::s8, Precision::f32, run_product<S8Element, 16>},
    {Type::u8, Precision::f32, run_product<U8Element, 16>},
};

bool sum_fits(Type sum, Type element) {
  switch (element) {
    case Type::f16:
      return sum == Type::f16 || sum == Type::f32;
    case Type::f64:
      return sum == Type::f64;
    case Type::s8:
    case Type::u8:
      return sum == Type::s32;
    default:
      return sum == Type::f32;
  }
}

// wmma.mma.sync.aligned.row.col.m16n16k16.f32.bf16.bf16.f32 d, a, b, c; f16 operands leave out
// their own type.
void build_product(Builder& b) {
  auto& d = b.detail<ProductDetail>();
  for (int i = 0; i < 2; ++i) {  // the layouts that A and B were loaded with
    if (b.take_any({"row", "col"}) < 0) b.unsupported("no layout");
  }
  const Shape& shape = take_shape(b);
  b.take("rn");
  const Type d_type = b.take_type();
  Type c_type = b.take_type();
  Type element = Type::f16;
  if (!b.leftover().empty()) {
    element = c_type;
    if (b.take_type() != element) b.unsupported("operands of two types");
    c_type = b.take_type();
  }
  const auto* form = std::find_if(std::begin(kForms), std::end(kForms),
                                  [&](const ProductForm& f) { return f.element == element; });
  if (form == std::end(kForms) || !exists(shape, element) || !sum_fits(d_type, element) ||
      !sum_fits(c_type, element)) {
    b.unsupported("this shape with these types");
  }
  b.expect_operands(4);
  d.d = fragment_of(b, b.operand(0), Part::sum, shape, d_type, true);
  d.a = fragment_of(b, b.operand(1), Part::a, shape, element, false);
  d.b = fragment_of(b, b.operand(2), Part::b, shape, element, false);
  d.c = fragment_of(b, b.operand(3), Part::sum, shape, c_type, false);
  d.half_c = c_type == Type::f16;
  d.half_d = d_type == Type::f16;
  b.info.precision = static_cast<std::uint8_t>(form->precision);
  const bool integers = element == Type::s8 || element == Type::u8;
  b.info.warp_flops = static_cast<std::uint32_t>(integers ? 0 : 2 * shape.m * shape.n * shape.k);
  b.out.handler = form->handler;
}

void build_wmma(Builder& b) {
  const int action = b.take_any({"load", "store", "mma"});
  if (!b.take("sync") || !b.take("aligned")) b.unsupported("without .sync.aligned");
  if (action < 0) b.unsupported("this action");
  if (action == 2) {
    build_product(b);
  } else {
    build_move(b, action == 0);
  }
}

}  // namespace

void add_wmma(OpcodeTable& table) { table.add("wmma", InstructionClass::matrix, build_wmma); }

}  // namespace vgpu

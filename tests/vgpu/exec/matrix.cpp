// Matrix instructions of one warp: mma.sync, and ldmatrix, stmatrix and movmatrix, which move
// 8 x 8 matrices of 16-bit elements. fragment.h says how matrices lie in registers.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include "tests/vgpu/exec/access.h"
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/fragment.h"

namespace vgpu {
namespace {

using ptx::Operand;
using ptx::Type;

// ---- mma.sync ----

constexpr std::size_t kMostRegisters = 8;  // of an operand

struct MmaDetail : Detail {
  std::array<std::uint32_t, kMostRegisters> d{}, a{}, b{}, c{};  // rows of registers
};

template <class Element, int kRows, int kDepth>
void run_mma(Warp& w, const Instruction& ins, LaneMask mask) {
  using Value = typename Element::Value;
  if (!whole_warp(w, mask)) return;
  const auto& detail = static_cast<const MmaDetail&>(*ins.detail);
  Value a[kRows][kDepth];
  Value b[kDepth][kFragmentColumns];
  Value sums[kRows][kFragmentColumns];
  unpack_a<Element>(w, detail.a.data(), a);
  unpack_b<Element>(w, detail.b.data(), b);
  unpack_sums(w, detail.c.data(), sums);
  multiply_add(a, b, sums);
  pack_sums(w, detail.d.data(), sums);
}

// With f16 accumulators.
template <int kDepth>
void run_half_mma(Warp& w, const Instruction& ins, LaneMask mask) {
  constexpr int kRows = 16;
  if (!whole_warp(w, mask)) return;
  const auto& detail = static_cast<const MmaDetail&>(*ins.detail);
  float a[kRows][kDepth];
  float b[kDepth][kFragmentColumns];
  float sums[kRows][kFragmentColumns];
  unpack_a<F16Element>(w, detail.a.data(), a);
  unpack_b<F16Element>(w, detail.b.data(), b);
  unpack_half_sums(w, detail.c.data(), sums);
  multiply_add(a, b, sums);
  pack_half_sums(w, detail.d.data(), sums);
}

// 8-bit integers, signed or not by operand. The sum wraps, or saturates once at the end: a sum of
// products fits into 32 bits, but not with the accumulator.
template <class ElementA, class ElementB, int kRows, int kDepth, bool kSaturate>
void run_integer_mma(Warp& w, const Instruction& ins, LaneMask mask) {
  if (!whole_warp(w, mask)) return;
  const auto& detail = static_cast<const MmaDetail&>(*ins.detail);
  std::int32_t a[kRows][kDepth];
  std::int32_t b[kDepth][kFragmentColumns];
  std::int32_t products[kRows][kFragmentColumns] = {};
  std::int32_t sums[kRows][kFragmentColumns];
  unpack_a<ElementA>(w, detail.a.data(), a);
  unpack_b<ElementB>(w, detail.b.data(), b);
  unpack_sums(w, detail.c.data(), sums);
  multiply_add(a, b, products);
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kFragmentColumns; ++j) {
      std::int64_t sum = std::int64_t{sums[i][j]} + products[i][j];
      if constexpr (kSaturate) {
        sum = std::clamp<std::int64_t>(sum, std::numeric_limits<std::int32_t>::min(),
                                       std::numeric_limits<std::int32_t>::max());
      }
      sums[i][j] = static_cast<std::int32_t>(sum);
    }
  }
  pack_sums(w, detail.d.data(), sums);
}

template <class ElementA, class ElementB, int kRows, int kDepth>
Handler integer_handler(bool saturate) {
  return saturate ? run_integer_mma<ElementA, ElementB, kRows, kDepth, true>
                  : run_integer_mma<ElementA, ElementB, kRows, kDepth, false>;
}

template <int kRows, int kDepth>
Handler integer_handler(Type a, Type b, bool saturate) {
  const bool signed_b = b == Type::s8;
  if (a == Type::s8) {
    return signed_b ? integer_handler<S8Element, S8Element, kRows, kDepth>(saturate)
                    : integer_handler<S8Element, U8Element, kRows, kDepth>(saturate);
  }
  return signed_b ? integer_handler<U8Element, S8Element, kRows, kDepth>(saturate)
                  : integer_handler<U8Element, U8Element, kRows, kDepth>(saturate);
}

// Floating-point forms: A and B of one type, C and D of one type.
struct MmaForm {
  std::string_view shape;
  int rows, depth;
  Type element, sum;
  Precision precision;
  Handler handler;
};

constexpr MmaForm kForms[] = {
    {"m16n8k8", 16, 8, Type::bf16, Type::f32, Precision::bf16, run_mma<Bf16Element, 16, 8>},
    {"m16n8k16", 16, 16, Type::bf16, Type::f32, Precision::bf16, run_mma<Bf16Element, 16, 16>},
    {"m16n8k8", 16, 8, Type::f16, Type::f32, Precision::f16, run_mma<F16Element, 16, 8>},
    {"m16n8k16", 16, 16, Type::f16, Type::f32, Precision::f16, run_mma<F16Element, 16, 16>},
    {"m16n8k8", 16, 8, Type::f16, Type::f16, Precision::f16, run_half_mma<8>},
    {"m16n8k16", 16, 16, Type::f16, Type::f16, Precision::f16, run_half_mma<16>},
    {"m16n8k4", 16, 4, Type::tf32, Type::f32, Precision::tf32, run_mma<Tf32Element, 16, 4>},
    {"m16n8k8", 16, 8, Type::tf32, Type::f32, Precision::tf32, run_mma<Tf32Element, 16, 8>},
    {"m8n8k4", 8, 4, Type::f64, Type::f64, Precision::f64, run_mma<F64Element, 8, 4>},
    {"m16n8k4", 16, 4, Type::f64, Type::f64, Precision::f64, run_mma<F64Element, 16, 4>},
    {"m16n8k8", 16, 8, Type::f64, Type::f64, Precision::f64, run_mma<F64Element, 16, 8>},
    {"m16n8k16", 16, 16, Type::f64, Type::f64, Precision::f64, run_mma<F64Element, 16, 16>},
};

// How many elements of a matrix share a register, and that register's type.
struct Packing {
  int elements;
  Type type;
};

Packing packing(Type element) {
  switch (element) {
    case Type::f64:
      return {1, Type::f64};
    case Type::f16:
    case Type::bf16:
      return {2, Type::b32};
    case Type::s8:
    case Type::u8:
      return {4, Type::b32};
    default:
      return {1, Type::b32};
  }
}

void take_registers(Builder& b, std::size_t index, Type element, int elements, bool result,
                    std::array<std::uint32_t, kMostRegisters>& rows) {
  const Operand& o = b.operand(index);
  const bool vector = o.kind == Operand::Kind::vector;
  const std::size_t count = vector ? o.elements.size() : 1;
  const Packing p = packing(element);
  const auto expected =
      static_cast<std::size_t>(elements) / kLanes / static_cast<std::size_t>(p.elements);
  if (count != expected) b.unsupported("another number of registers");
  for (std::size_t i = 0; i < count; ++i) {
    const Operand& part = vector ? o.elements[i] : o;
    rows[i] = result ? b.result(part, p.type) : b.value(part, p.type);
  }
}

void take_operands(Builder& b, int rows, int depth, Type element, Type sum) {
  auto& d = b.detail<MmaDetail>();
  b.expect_operands(4);
  take_registers(b, 0, sum, rows * kFragmentColumns, true, d.d);
  take_registers(b, 1, element, rows * depth, false, d.a);
  take_registers(b, 2, element, depth * kFragmentColumns, false, d.b);
  take_registers(b, 3, sum, rows * kFragmentColumns, false, d.c);
}

// Operations on integers are none of the counters' precisions, so they count no FLOPs.
void build_integer_mma(Builder& b, std::string_view shape, Type a, Type other) {
  const bool saturate = b.take("satfinite");
  if (shape == "m8n8k16") b.out.handler = integer_handler<8, 16>(a, other, saturate);
  if (shape == "m16n8k16") b.out.handler = integer_handler<16, 16>(a, other, saturate);
  if (shape == "m16n8k32") b.out.handler = integer_handler<16, 32>(a, other, saturate);
  if (b.out.handler == nullptr) b.unsupported("this shape");
  take_operands(b, shape == "m8n8k16" ? 8 : 16, shape == "m16n8k32" ? 32 : 16, a, Type::s32);
}

void build_mma(Builder& b) {
  if (!b.take("sync") || !b.take("aligned")) b.unsupported("without .sync.aligned");
  const std::string_view shape = b.take_next();
  if (!b.take("row") || !b.take("col")) b.unsupported("these layouts");
  const Type d_type = b.take_type();
  const Type a_type = b.take_type();
  const Type b_type = b.take_type();
  const Type c_type = b.take_type();
  const auto is_byte = [](Type t) { return t == Type::s8 || t == Type::u8; };
  if (is_byte(a_type) && is_byte(b_type) && d_type == Type::s32 && c_type == Type::s32) {
    build_integer_mma(b, shape, a_type, b_type);
    return;
  }
  const auto* form = std::find_if(std::begin(kForms), std::end(kForms), [&](const MmaForm& f) {
    return f.shape == shape && f.element == a_type && f.sum == d_type;
  });
  if (form == std::end(kForms) || b_type != a_type || c_type != d_type) {
    b.unsupported("this shape with these types");
  }
  take_operands(b, form->rows, form->depth, a_type, d_type);
  b.info.precision = static_cast<std::uint8_t>(form->precision);
  b.info.warp_flops = static_cast<std::uint32_t>(2 * form->rows * kFragmentColumns * form->depth);
  b.out.handler = form->handler;
}

// ---- ldmatrix, stmatrix ----

// A matrix is 8 rows of 16 bytes; lanes 8 i to 8 i + 7 hold the addresses of the rows of matrix i.
// In registers lane l has elements 2 (l % 4) and the next of row l / 4, so a register of all lanes
// is the matrix as it lies in memory, row after row.
constexpr std::uint32_t kMatrixRows = 8;
constexpr std::uint32_t kRowBytes = 16;
using Matrix = std::array<std::array<std::uint16_t, 8>, 8>;
static_assert(sizeof(Matrix) == kLanes * sizeof(std::uint32_t));

Matrix transposed(const Matrix& m) {
  Matrix result;
  for (std::size_t i = 0; i < 8; ++i) {
    for (std::size_t j = 0; j < 8; ++j) result[i][j] = m[j][i];
  }
  return result;
}

struct MatrixMoveDetail : AccessDetail {
  std::array<std::uint32_t, 4> rows{};
  std::uint32_t matrices = 0;
  bool transpose = false;
};

void resolve_rows(Warp& w, const Instruction& ins, const MatrixMoveDetail& d, Lanes& lanes) {
  const std::uint32_t addressing = d.matrices * kMatrixRows;
  resolve(w, ins, d, kAllLanes >> (kLanes - addressing), lanes);
}

void run_load_matrix(Warp& w, const Instruction& ins, LaneMask mask) {
  if (!whole_warp(w, mask)) return;
  const auto& d = static_cast<const MatrixMoveDetail&>(*ins.detail);
  Lanes lanes;
  resolve_rows(w, ins, d, lanes);
  for (std::uint32_t i = 0; i < d.matrices; ++i) {
    Matrix matrix;
    for (std::uint32_t j = 0; j < kMatrixRows; ++j) {
      std::memcpy(matrix[j].data(), lanes.at[kMatrixRows * i + j], kRowBytes);
    }
    if (d.transpose) matrix = transposed(matrix);
    std::memcpy(w.rows + d.rows[i], &matrix, sizeof matrix);
  }
}

void run_store_matrix(Warp& w, const Instruction& ins, LaneMask mask) {
  if (!whole_warp(w, mask)) return;
  const auto& d = static_cast<const MatrixMoveDetail&>(*ins.detail);
  Lanes lanes;
  resolve_rows(w, ins, d, lanes);
  for (std::uint32_t i = 0; i < d.matrices; ++i) {
    Matrix matrix;
    std::memcpy(&matrix, w.rows + d.rows[i], sizeof matrix);
    if (d.transpose) matrix = transposed(matrix);
    for (std::uint32_t j = 0; j < kMatrixRows; ++j) {
      std::memcpy(lanes.at[kMatrixRows * i + j], matrix[j].data(), kRowBytes);
    }
  }
  ++w.worker->progress;
}

void build_matrix_move(Builder& b) {
  auto& d = b.detail<MatrixMoveDetail>();
  for (const char* word : {"sync", "aligned", "m8n8", "b16"}) {
    if (!b.take(word)) b.unsupported("another form than .sync.aligned.m8n8.b16");
  }
  const int count = b.take_any({"x1", "x2", "x4"});
  if (count < 0) b.unsupported("no number of matrices");
  d.matrices = 1u << count;
  d.transpose = b.take("trans");
  const AddressSpace space = take_space(b);
  if (space != AddressSpace::shared && space != AddressSpace::generic) b.unsupported("this space");
  b.expect_operands(2);
  const bool load = b.source().opcode == "ldmatrix";
  const Operand& data = b.operand(load ? 0 : 1);
  const bool vector = data.kind == Operand::Kind::vector;
  if ((vector ? data.elements.size() : 1) != d.matrices) {
    b.unsupported("another number of registers");
  }
  for (std::uint32_t i = 0; i < d.matrices; ++i) {
    const Operand& part = vector ? data.elements[i] : data;
    d.rows[i] = load ? b.result(part, Type::b32) : b.value(part, Type::b32);
  }
  d.kind = load ? AccessKind::load : AccessKind::store;
  d.bytes = kRowBytes;
  d.alignment = kRowBytes;
  d.resolve = resolver(space);
  const Builder::Address address = b.address(b.operand(load ? 1 : 0));
  d.address_bytes = address.bytes;
  b.out.a = address.row;
  b.out.immediate = address.offset;
  b.out.handler = load ? run_load_matrix : run_store_matrix;
}

// ---- movmatrix ----

void run_move_matrix(Warp& w, const Instruction& ins, LaneMask mask) {
  if (!whole_warp(w, mask)) return;
  Matrix matrix;
  std::memcpy(&matrix, w.rows + ins.a, sizeof matrix);
  matrix = transposed(matrix);
  std::memcpy(w.rows + ins.to, &matrix, sizeof matrix);
}

void build_move_matrix(Builder& b) {
  for (const char* word : {"sync", "aligned", "m8n8", "trans", "b16"}) {
    if (!b.take(word)) b.unsupported("another form than .sync.aligned.m8n8.trans.b16");
  }
  b.expect_operands(2);
  b.out.to = b.result(0, Type::b32);
  b.out.a = b.value(1, Type::b32);
  b.out.handler = run_move_matrix;
}

}  // namespace

void add_matrix(OpcodeTable& table) {
  constexpr auto kKind = InstructionClass::matrix;
  table.add("mma", kKind, build_mma);
  table.add("ldmatrix", kKind, build_matrix_move);
  table.add("stmatrix", kKind, build_matrix_move);
  table.add("movmatrix", kKind, build_move_matrix);
}

}  // namespace vgpu

// Matrix instructions of a warpgroup: wgmma, whose operands lie in shared memory and whose results
// arrive at a wait.
//
// D [64, n] = A [64, k] B [k, n] + D, where warp i of the four has rows 16 i to 16 i + 15. So each
// warp computes its own part, like a row of mma instructions. Until wgmma.wait_group the registers
// of D hold NaNs and the sums are kept here; the operands in shared memory must not change either,
// which the wait checks.
//
// Not modelled: register hazards beyond the first wgmma.fence. Traffic of operands is not counted,
// as it does not pass the load unit.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "tests/vgpu/exec/access.h"
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/fragment.h"
#include "tests/vgpu/exec/lanes.h"

namespace vgpu {
namespace {

using ptx::Operand;
using ptx::Type;

constexpr int kWarpRows = 16;
constexpr std::uint32_t kChunkBytes = 16;  // what a matrix in shared memory is made of
constexpr int kRowChunks = 2;              // k elements are two chunks, for every type

// ---- matrices in shared memory ----

// A 64-bit matrix descriptor, in bytes. What an offset means depends on the layout.
struct Descriptor {
  std::uint32_t start = 0;
  std::uint32_t leading = 0, stride = 0;
  std::uint32_t swizzle = 0;  // bytes of a row of the swizzle pattern: 16 (none), 32, 64 or 128
  bool rotated = false;       // a base offset, which is not executed

  explicit Descriptor(std::uint64_t bits) {
    const auto field = [&](int shift) {
      return static_cast<std::uint32_t>((bits >> shift) & 0x3fff) * kChunkBytes;
    };
    constexpr std::uint32_t kSwizzles[] = {16, 128, 64, 32};
    start = field(0);
    leading = field(16);
    stride = field(32);
    rotated = ((bits >> 49) & 7) != 0;
    swizzle = kSwizzles[bits >> 62];
  }

  // Address of a chunk: `row` along m or n, `k` along k, one of them counted in chunks. Eight rows
  // of chunks make a core matrix, or with swizzling eight rows of the pattern make an atom.
  [[nodiscard]] std::uint32_t k_major(std::uint32_t row, std::uint32_t k_chunk) const {
    const std::uint32_t across = swizzle == kChunkBytes ? leading : kChunkBytes;
    return swizzled(start + row % 8 * swizzle + row / 8 * stride + k_chunk * across);
  }
  [[nodiscard]] std::uint32_t row_major(std::uint32_t row_chunk, std::uint32_t k) const {
    if (swizzle == kChunkBytes) {
      return start + row_chunk * stride + k % 8 * kChunkBytes + k / 8 * leading;
    }
    const std::uint32_t wide = swizzle / kChunkBytes;  // chunks of a row of the pattern
    return swizzled(start + row_chunk % wide * kChunkBytes + row_chunk / wide * leading +
                    k % 8 * swizzle + k / 8 * stride);
  }

 private:
  // Chunks of a row of the pattern change places by the address bits from 7 on.
  [[nodiscard]] std::uint32_t swizzled(std::uint32_t address) const {
    const std::uint32_t bits = (swizzle / kChunkBytes - 1) * kChunkBytes;
    return address ^ ((address >> 3) & bits);
  }
};

// Rows [first, first + rows) of a matrix [rows, k] of which k is two chunks (k major) or of which
// eight rows are a chunk (transposed).
struct Tile {
  std::uint64_t descriptor = 0;
  std::uint32_t first = 0, rows = 0;
  bool transposed = false;
};
constexpr std::uint32_t kTileRows = 16;  // at most, so that 32 lanes read all chunks
constexpr std::uint32_t kTransposedDepth = 16;

// The addresses of a tile's chunks. A lane each, those of one row or one k side by side.
std::uint32_t chunk_addresses(const Tile& t, std::uint64_t (&addresses)[kLanes]) {
  const Descriptor d(t.descriptor);
  std::uint32_t count = 0;
  if (!t.transposed) {
    for (std::uint32_t row = t.first; row < t.first + t.rows; ++row) {
      for (std::uint32_t k = 0; k < kRowChunks; ++k) addresses[count++] = d.k_major(row, k);
    }
  } else {
    for (std::uint32_t k = 0; k < kTransposedDepth; ++k) {
      for (std::uint32_t row = t.first; row < t.first + t.rows; row += 8) {
        addresses[count++] = d.row_major(row / 8, k);
      }
    }
  }
  return count;
}

struct Chunks {
  std::byte bytes[kLanes][kChunkBytes] = {};
};

// Checked like loads of the asynchronous proxy, but not counted as such.
void load_chunks(Warp& w, const Tile& t, Chunks& chunks) {
  AccessDetail access;
  access.async = true;
  access.counted = false;
  access.bytes = access.alignment = kChunkBytes;
  std::uint64_t addresses[kLanes] = {};
  const std::uint32_t count = chunk_addresses(t, addresses);
  Lanes lanes;
  const auto first_lanes = static_cast<LaneMask>((std::uint64_t{1} << count) - 1);
  resolver(AddressSpace::shared)(w, access, addresses, first_lanes, lanes);
  for (std::uint32_t i = 0; i < count; ++i) std::memcpy(chunks.bytes[i], lanes.at[i], kChunkBytes);
}

// Differs, as good as certainly, when a byte differs.
std::uint64_t digest(const Chunks& chunks) {
  std::uint64_t words[kLanes * kChunkBytes / 8];
  std::memcpy(words, chunks.bytes, sizeof words);
  std::uint64_t sum = 0;
  std::uint64_t factor = 0x9e3779b97f4a7c15;
  for (const std::uint64_t word : words) {
    sum += (word ^ (word >> 29)) * factor;
    factor += 0x3c6ef372fe94f82a;  // even, so that factors stay odd
  }
  return sum;
}

// values [rows, k] of a tile's chunks.
template <class Element, int kDepth>
void widen(const Tile& t, const Chunks& chunks,
           typename Element::Value (&values)[kTileRows][kDepth]) {
  using Stored = typename Element::Stored;
  constexpr std::uint32_t kPerChunk = kChunkBytes / sizeof(Stored);
  Stored stored[kLanes * kPerChunk];
  std::memcpy(stored, chunks.bytes, sizeof stored);
  for (std::uint32_t row = 0; row < t.rows; ++row) {
    for (std::uint32_t k = 0; k < kDepth; ++k) {
      const std::uint32_t at = t.transposed ? k * t.rows + row : row * kDepth + k;
      values[row][k] = Element::widen(stored[at]);
    }
  }
}

// ---- what is in flight ----

// The sums of one set of registers.
struct Accumulator {
  std::byte* frame = nullptr;  // rows of the frame whose registers they are
  std::vector<std::uint32_t> registers;
  bool half = false;
  std::vector<float> sums;  // [n / 8, 16, 8]
  std::uint64_t group = 0;  // the last one that adds to them; 0: not committed
};

// Shared memory that must stay as it is.
struct Source {
  Tile tile;
  std::uint64_t digest = 0;
  std::uint64_t group = 0;
  std::string place;  // of the instruction
};

struct InFlight : Detail {
  std::vector<Accumulator> accumulators;
  std::vector<Source> sources;
  std::uint64_t committed = 0;  // groups
  bool fenced = false;
};

InFlight& in_flight(Warp& w) {
  for (const auto& state : w.family_state) {
    if (auto* found = dynamic_cast<InFlight*>(state.get())) return *found;
  }
  w.family_state.push_back(std::make_unique<InFlight>());
  return static_cast<InFlight&>(*w.family_state.back());
}

[[noreturn]] void refuse(Warp& w, const std::string& reason) {
  throw Fault{FaultKind::illegal_instruction,
              fmt::format("wgmma: {}; {}", reason, describe_thread(w, 0))};
}

using Block16x8 = float[kWarpRows][kFragmentColumns];

void land(Warp& w, Accumulator& a) {
  const Frame* frame = w.frame;
  while (frame != nullptr && frame->rows.data() != a.frame) frame = frame->caller;
  if (frame == nullptr) return;  // the function has returned, and its registers are no more
  std::byte* const running = w.rows;
  w.rows = a.frame;
  const std::size_t registers_a_block = a.half ? 2 : 4;
  for (std::size_t block = 0; block * registers_a_block < a.registers.size(); ++block) {
    Block16x8 sums;
    std::memcpy(sums, &a.sums[block * kWarpRows * kFragmentColumns], sizeof sums);
    const std::uint32_t* rows = &a.registers[block * registers_a_block];
    if (a.half) {
      pack_half_sums(w, rows, sums);
    } else {
      pack_sums(w, rows, sums);
    }
  }
  w.rows = running;
}

// ---- wgmma.mma_async ----

struct ProductDetail : Detail {
  int columns = 0;                   // n
  std::vector<std::uint32_t> d;      // rows of registers
  bool half = false;                 // D is f16
  std::array<std::uint32_t, 4> a{};  // likewise, unless A is in shared memory
  bool shared_a = false;
  std::uint32_t a_descriptor = 0, b_descriptor = 0;  // rows
  std::uint32_t scale_d = 0;                         // predicate: whether D is added to
  LaneMask scale_d_flip = 0;
  bool negate_a = false, negate_b = false;
  bool transpose_a = false, transpose_b = false;
};

// The sums so far: those in flight for the same registers, or else what the registers hold.
Accumulator& accumulator(Warp& w, InFlight& state, const ProductDetail& d) {
  for (Accumulator& a : state.accumulators) {
    if (a.frame == w.rows && a.registers == d.d) return a;
  }
  for (const Accumulator& a : state.accumulators) {
    if (a.frame != w.rows) continue;
    if (std::find_first_of(a.registers.begin(), a.registers.end(), d.d.begin(), d.d.end()) !=
        a.registers.end()) {
      refuse(w, "its accumulator is in flight with another shape");
    }
  }
  Accumulator& a = state.accumulators.emplace_back();
  a.frame = w.rows;
  a.registers = d.d;
  a.half = d.half;
  a.sums.resize(static_cast<std::size_t>(d.columns) * kWarpRows);
  const std::size_t registers_a_block = d.half ? 2 : 4;
  for (std::size_t block = 0; block * registers_a_block < d.d.size(); ++block) {
    Block16x8 sums;
    const std::uint32_t* rows = &d.d[block * registers_a_block];
    if (d.half) {
      unpack_half_sums(w, rows, sums);
    } else {
      unpack_sums(w, rows, sums);
    }
    std::memcpy(&a.sums[block * kWarpRows * kFragmentColumns], sums, sizeof sums);
  }
  for (const std::uint32_t r : d.d) std::memset(w.rows + r, 0xff, kLanes * sizeof(std::uint32_t));
  return a;
}

void check_descriptor(Warp& w, std::uint64_t bits) {
  if (Descriptor(bits).rotated) refuse(w, "a descriptor with a base offset is not executed");
}

// Reads a tile and notes what it read.
template <class Element, int kDepth>
void read_tile(Warp& w, InFlight& state, const Tile& tile, bool negate,
               typename Element::Value (&values)[kTileRows][kDepth]) {
  Chunks chunks;
  load_chunks(w, tile, chunks);
  state.sources.push_back({tile, digest(chunks), 0, {}});
  widen<Element>(tile, chunks, values);
  if (!negate) return;
  for (auto& row : values) {
    for (auto& v : row) v = -v;
  }
}

template <class Element>
void run_product(Warp& w, const Instruction& ins, LaneMask mask) {
  constexpr int kDepth =
      kRowChunks * static_cast<int>(kChunkBytes / sizeof(typename Element::Stored));
  if (!whole_warp(w, mask)) return;
  const auto& d = static_cast<const ProductDetail&>(*ins.detail);
  InFlight& state = in_flight(w);
  const std::uint32_t warp_in_group = w.index % 4;
  if (w.block->warps.size() < w.index - warp_in_group + 4) refuse(w, "the warpgroup is not whole");
  if (!state.fenced) {
    report(
        w, ReportKind::warp_race,
        fmt::format("wgmma.mma_async without a wgmma.fence before it; {}", describe_thread(w, 0)));
    state.fenced = true;
  }

  float a[kWarpRows][kDepth];
  const std::size_t first_source = state.sources.size();
  if (d.shared_a) {
    const std::uint64_t descriptor = row<std::uint64_t>(w, d.a_descriptor)[0];
    check_descriptor(w, descriptor);
    read_tile<Element>(w, state, {descriptor, warp_in_group * kWarpRows, kWarpRows, d.transpose_a},
                       d.negate_a, a);
  } else {
    unpack_a<Element>(w, d.a.data(), a);
    if (d.negate_a) {
      for (auto& values : a) {
        for (float& v : values) v = -v;
      }
    }
  }

  const std::uint64_t descriptor = row<std::uint64_t>(w, d.b_descriptor)[0];
  check_descriptor(w, descriptor);
  const bool add = ((predicate(w, d.scale_d) ^ d.scale_d_flip) & 1) != 0;
  Accumulator& accumulated = accumulator(w, state, d);
  accumulated.group = 0;
  if (!add) std::fill(accumulated.sums.begin(), accumulated.sums.end(), 0.0f);
  const auto columns = static_cast<std::uint32_t>(d.columns);
  for (std::uint32_t first = 0; first < columns; first += kTileRows) {
    const std::uint32_t in_tile = std::min(kTileRows, columns - first);
    float tile[kTileRows][kDepth];
    read_tile<Element>(w, state, {descriptor, first, in_tile, d.transpose_b}, d.negate_b, tile);
    for (std::uint32_t block = 0; block < in_tile; block += kFragmentColumns) {
      float b[kDepth][kFragmentColumns];
      for (int k = 0; k < kDepth; ++k) {
        for (int j = 0; j < kFragmentColumns; ++j) b[k][j] = tile[block + j][k];
      }
      float* at = &accumulated.sums[static_cast<std::size_t>(first + block) * kWarpRows];
      Block16x8 sums;
      std::memcpy(sums, at, sizeof sums);
      multiply_add(a, b, sums);
      if (d.half) {
        for (auto& values : sums) {
          for (float& v : values) v = widen_f16(narrow_f16(v));
        }
      }
      std::memcpy(at, sums, sizeof sums);
    }
  }
  const std::string place = current_place(w);
  for (std::size_t i = first_source; i < state.sources.size(); ++i) state.sources[i].place = place;
}

// ---- wgmma.fence, commit_group, wait_group ----

void run_fence(Warp& w, const Instruction&, LaneMask mask) {
  if (!whole_warp(w, mask)) return;
  in_flight(w).fenced = true;
}

void run_commit(Warp& w, const Instruction&, LaneMask mask) {
  if (!whole_warp(w, mask)) return;
  InFlight& state = in_flight(w);
  ++state.committed;
  for (Accumulator& a : state.accumulators) {
    if (a.group == 0) a.group = state.committed;
  }
  for (Source& s : state.sources) {
    if (s.group == 0) s.group = state.committed;
  }
}

void check_unchanged(Warp& w, const Source& source) {
  Chunks chunks;
  load_chunks(w, source.tile, chunks);
  if (digest(chunks) == source.digest) return;
  report(
      w, ReportKind::shared_race,
      fmt::format("shared memory at offset {:#x} was overwritten while wgmma.mma_async at {} was "
                  "reading it; {}",
                  Descriptor(source.tile.descriptor).start, source.place, describe_thread(w, 0)));
}

void run_wait(Warp& w, const Instruction& ins, LaneMask mask) {
  if (!whole_warp(w, mask)) return;
  InFlight& state = in_flight(w);
  const auto keep = static_cast<std::uint64_t>(ins.immediate);
  const auto done = [&](const auto& x) {
    return x.group != 0 && x.group + keep <= state.committed;
  };
  for (const Source& s : state.sources) {
    if (done(s)) check_unchanged(w, s);
  }
  for (Accumulator& a : state.accumulators) {
    if (done(a)) land(w, a);
  }
  std::erase_if(state.sources, done);
  std::erase_if(state.accumulators, done);
}

// ---- from PTX ----

struct ProductForm {
  std::string_view depth;
  Type element;
  Precision precision;
  Handler handler;
};

constexpr ProductForm kForms[] = {
    {"k16", Type::bf16, Precision::bf16, run_product<Bf16Element>},
    {"k16", Type::f16, Precision::f16, run_product<F16Element>},
    {"k8", Type::tf32, Precision::tf32, run_product<Tf32Element>},
};

// n of m64n<n>k<k>, and "k<k>".
int take_shape(Builder& b, std::string_view& depth) {
  const std::string_view shape = b.take_next();
  constexpr std::string_view kStart = "m64n";
  const std::size_t k = shape.find('k');
  if (!shape.starts_with(kStart) || k == std::string_view::npos) b.unsupported("this shape");
  int columns = 0;
  for (const char c : shape.substr(kStart.size(), k - kStart.size()))
    columns = 10 * columns + c - '0';
  if (columns < 8 || columns > 256 || columns % 8 != 0) b.unsupported("this shape");
  depth = shape.substr(k);
  return columns;
}

// An immediate of 1 or -1: whether it negates.
bool take_sign(Builder& b, std::size_t index) {
  const auto value = static_cast<std::int64_t>(b.integer(b.operand(index)));
  if (value != 1 && value != -1) b.unsupported("a scale other than 1 and -1");
  return value == -1;
}

void build_product(Builder& b) {
  auto& d = b.detail<ProductDetail>();
  std::string_view depth;
  d.columns = take_shape(b, depth);
  const Type sum = b.take_type();
  const Type a_type = b.take_type();
  const Type b_type = b.take_type();
  const auto* form = std::find_if(std::begin(kForms), std::end(kForms), [&](const ProductForm& f) {
    return f.depth == depth && f.element == a_type;
  });
  d.half = sum == Type::f16;
  if (form == std::end(kForms) || b_type != a_type || (sum != Type::f32 && !d.half) ||
      (d.half && a_type != Type::f16)) {
    b.unsupported("this shape with these types");
  }

  const Operand& sums = b.operand(0);
  const auto registers = static_cast<std::size_t>(d.columns / (d.half ? 4 : 2));
  if (sums.elements.size() != registers) b.unsupported("another number of registers");
  for (const Operand& r : sums.elements) d.d.push_back(b.result(r, d.half ? Type::b32 : Type::f32));

  const Operand& a = b.operand(1);
  d.shared_a = a.kind != Operand::Kind::vector;
  if (d.shared_a) {
    d.a_descriptor = b.value(a, Type::b64);
  } else {
    if (a.elements.size() != d.a.size()) b.unsupported("another number of registers");
    for (std::size_t i = 0; i < d.a.size(); ++i) d.a[i] = b.value(a.elements[i], Type::b32);
  }
  d.b_descriptor = b.value(2, Type::b64);
  std::tie(d.scale_d, d.scale_d_flip) = b.predicate_value(b.operand(3));
  d.negate_a = take_sign(b, 4);
  d.negate_b = take_sign(b, 5);
  std::size_t next = 6;
  if (a_type != Type::tf32) {  // 16-bit matrices in shared memory may be transposed
    if (d.shared_a) d.transpose_a = b.integer(b.operand(next++)) != 0;
    d.transpose_b = b.integer(b.operand(next++)) != 0;
  }
  b.expect_operands(next);
  b.info.precision = static_cast<std::uint8_t>(form->precision);
  const int k = a_type == Type::tf32 ? 8 : 16;
  b.info.warp_flops = static_cast<std::uint32_t>(2 * kWarpRows * d.columns * k);
  b.out.handler = form->handler;
}

void build_wgmma(Builder& b) {
  const int action = b.take_any({"mma_async", "fence", "commit_group", "wait_group"});
  if (!b.take("sync") || !b.take("aligned")) b.unsupported("without .sync.aligned");
  switch (action) {
    case 0:
      build_product(b);
      return;
    case 1:
      b.out.handler = run_fence;
      break;
    case 2:
      b.out.handler = run_commit;
      break;
    case 3:
      b.expect_operands(1);
      b.out.immediate = static_cast<std::int64_t>(b.integer(b.operand(0)));
      b.out.handler = run_wait;
      return;
    default:
      b.unsupported("this action");
  }
  b.expect_operands(0);
}

// ---- setmaxnreg: registers are not limited here ----

void run_nothing(Warp&, const Instruction&, LaneMask) {}

void build_set_registers(Builder& b) {
  if (b.take_any({"inc", "dec"}) < 0 || !b.take("sync") || !b.take("aligned")) {
    b.unsupported("another form");
  }
  b.take_type();
  b.expect_operands(1);
  const std::uint64_t registers = b.integer(b.operand(0));
  if (registers < 24 || registers > 256 || registers % 8 != 0) {
    b.unsupported("a number that is no multiple of 8 from 24 to 256");
  }
  b.out.handler = run_nothing;
}

}  // namespace

void add_wgmma(OpcodeTable& table) {
  table.add("wgmma", InstructionClass::matrix, build_wgmma);
  table.add("setmaxnreg", InstructionClass::control, build_set_registers);
}

}  // namespace vgpu

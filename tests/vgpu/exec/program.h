#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/vgpu/counters/counters.h"
#include "tests/vgpu/exec/module.h"
#include "tests/vgpu/ptx/module.h"

// The form that is executed. A function's registers, constants and special registers are rows of
// 32 lanes in one frame of bytes; predicates are 32-bit masks in the same frame. So an operand is
// an offset into the frame, and an instruction is a handler with offsets.
namespace vgpu {

using LaneMask = std::uint32_t;
inline constexpr std::uint32_t kLanes = 32;
inline constexpr LaneMask kAllLanes = 0xffffffff;

struct Warp;
struct Instruction;
using Handler = void (*)(Warp&, const Instruction&, LaneMask);

// What an instruction knows beyond its offsets; each family has its own.
struct Detail {
  virtual ~Detail() = default;
};

struct Instruction {
  Handler handler = nullptr;
  std::uint32_t guard = 0;  // offset of the predicate; offset 0 holds all ones
  LaneMask guard_flip = 0;  // all ones for a negated guard
  std::uint32_t to = 0, a = 0, b = 0, c = 0;
  std::int64_t immediate = 0;
  std::uint32_t target = 0;   // of a branch: index into the function's code
  std::uint32_t variant = 0;  // the family's own
  const Detail* detail = nullptr;
};

// Beside each instruction, not needed to execute it.
struct InstructionInfo {
  InstructionClass kind = InstructionClass::other;
  std::uint8_t precision = 0;    // Precision of its operations
  std::uint32_t flops = 0;       // useful operations a lane
  std::uint32_t warp_flops = 0;  // of a warp as a whole: mma
  std::int32_t location = -1;    // index into ptx::Module::locations
  std::int32_t ptx_line = 0;
  std::string spelling;
};

enum class Special : std::uint8_t {
  tid_x,
  tid_y,
  tid_z,
  ntid_x,
  ntid_y,
  ntid_z,
  ctaid_x,
  ctaid_y,
  ctaid_z,
  nctaid_x,
  nctaid_y,
  nctaid_z,
  laneid,
  warpid,
  nwarpid,
  smid,
  nsmid,
  gridid,
  lanemask_eq,
  lanemask_le,
  lanemask_lt,
  lanemask_ge,
  lanemask_gt,
  clusterid_x,
  clusterid_y,
  clusterid_z,
  nclusterid_x,
  nclusterid_y,
  nclusterid_z,
  cluster_ctaid_x,
  cluster_ctaid_y,
  cluster_ctaid_z,
  cluster_nctaid_x,
  cluster_nctaid_y,
  cluster_nctaid_z,
  cluster_ctarank,
  cluster_nctarank,
  is_explicit_cluster,
  dynamic_smem_size,
  total_smem_size,
  aggr_smem_size,
  envreg1,
  envreg2,
  local_base,  // where the activation's local memory starts
};

struct SpecialRow {
  Special special;
  std::uint32_t offset;
  std::uint32_t bytes;  // a lane: 4 or 8
  std::uint32_t addend = 0;
};

// A parameter or a call's parameter inside a frame: lane l's bytes at offset + l * bytes.
struct ParameterArea {
  std::uint32_t offset = 0;
  std::uint32_t bytes = 0;
};

// Part of shared or local memory that may be accessed.
struct Extent {
  std::uint32_t offset = 0;
  std::uint32_t bytes = 0;
  std::string name;
};

struct Function {
  std::string name;
  std::vector<Instruction> code;
  std::vector<InstructionInfo> info;
  std::vector<std::byte> frame;      // initial contents: constants in place, registers poisoned
  std::uint32_t register_bytes = 0;  // of the frame: masks and registers, before the constants
  std::vector<SpecialRow> specials;
  std::vector<ParameterArea> parameters;
  std::vector<ParameterArea> returns;
  std::vector<Extent> locals;  // relative to the frame's local base
  std::uint32_t local_bytes = 0;
  std::uint32_t first_counter = 0;  // of the kernel's instructions, where this function's start
  std::vector<std::unique_ptr<Detail>> details;
  bool compiled = false;
};

// First address in shared and local memory that is given out, so that null and small offsets fault.
inline constexpr std::uint32_t kFirstSharedOffset = 1024;
inline constexpr std::uint32_t kFirstLocalOffset = 64;
// In each frame: the mask of the lanes whose last .cc instruction carried.
inline constexpr std::uint32_t kCarryOffset = 4;
// An address of a function is this base plus its index in Kernel::functions.
inline constexpr std::uint64_t kFunctionAddress = 0x00f0'0000'0000'0000;

struct Kernel {
  KernelInfo info;
  std::shared_ptr<const ptx::Module> source;
  std::vector<std::unique_ptr<Function>> functions;  // by index in source->functions
  const Function* entry = nullptr;
  std::vector<Extent> shared;               // static variables
  std::uint32_t dynamic_shared_offset = 0;  // where dynamic shared memory starts
  std::uint32_t instructions = 0;           // of all functions
  std::uint32_t narrowest_access = 4;       // bytes of an element, at most 4

  // "saxpy.cu:12", with the places that it was inlined at.
  [[nodiscard]] std::string place(std::int32_t location) const;
};

}  // namespace vgpu

#pragma once

#include "tests/vgpu/exec/builder.h"

// One function for each family of instructions; a new family is one file and one line here and in
// families.cpp.
namespace vgpu {

void add_arithmetic(OpcodeTable& table);
void add_async_copies(OpcodeTable& table);
void add_atomics(OpcodeTable& table);
void add_barriers(OpcodeTable& table);
void add_bits(OpcodeTable& table);
void add_clusters(OpcodeTable& table);
void add_comparisons(OpcodeTable& table);
void add_control(OpcodeTable& table);
void add_conversions(OpcodeTable& table);
void add_float_signs(OpcodeTable& table);
void add_matrix(OpcodeTable& table);
void add_mbarriers(OpcodeTable& table);
void add_memory(OpcodeTable& table);
void add_moves(OpcodeTable& table);
void add_special_functions(OpcodeTable& table);
void add_warp(OpcodeTable& table);
void add_wgmma(OpcodeTable& table);
void add_wmma(OpcodeTable& table);

// barrier.cluster, which shares its opcode with the block's barriers.
void build_cluster_barrier(Builder& b);

}  // namespace vgpu

#include "tests/vgpu/exec/families.h"

namespace vgpu {

const OpcodeTable& opcode_table() {
  static const OpcodeTable table = [] {
    OpcodeTable t;
    add_arithmetic(t);
    add_async_copies(t);
    add_atomics(t);
    add_barriers(t);
    add_bits(t);
    add_clusters(t);
    add_comparisons(t);
    add_control(t);
    add_conversions(t);
    add_float_signs(t);
    add_matrix(t);
    add_mbarriers(t);
    add_memory(t);
    add_moves(t);
    add_special_functions(t);
    add_warp(t);
    add_wgmma(t);
    add_wmma(t);
    return t;
  }();
  return table;
}

}  // namespace vgpu

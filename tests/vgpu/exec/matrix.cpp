// Matrix instructions of one warp: ldmatrix, stmatrix, movmatrix and mma.sync.
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"

namespace vgpu {

void add_matrix(OpcodeTable&) {}

}  // namespace vgpu

// Matrix instructions of a warpgroup: wgmma, and setmaxnreg.
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"

namespace vgpu {

void add_wgmma(OpcodeTable&) {}

}  // namespace vgpu

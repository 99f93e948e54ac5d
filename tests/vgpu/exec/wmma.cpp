// wmma: matrix fragments whose layout is the implementation's own.
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"

namespace vgpu {

void add_wmma(OpcodeTable&) {}

}  // namespace vgpu

// mbarrier objects in shared memory, and the asynchronous copies that complete on them.
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"

namespace vgpu {

void add_mbarriers(OpcodeTable&) {}

}  // namespace vgpu

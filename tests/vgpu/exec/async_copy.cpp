// Asynchronous copies: cp.async, cp.async.bulk and the groups that they are waited for by.
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"

namespace vgpu {

void add_async_copies(OpcodeTable&) {}

}  // namespace vgpu

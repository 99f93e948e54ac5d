#pragma once

#include "tests/vgpu/memory/memory.h"

namespace vgpu {

// Device addresses are numbers to the core and pointers to a program.
inline Address address_of(const void* pointer) { return reinterpret_cast<Address>(pointer); }
inline void* pointer_to(Address address) {
  return reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace vgpu

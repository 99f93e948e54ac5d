#pragma once

#include <bit>
#include <cstdint>

#include "tests/vgpu/exec/program.h"

// Loops over the 32 lanes of a row, written so that the compiler makes vectors of them. A row is
// either the same as another or apart from it, so lanes never depend on one another.
namespace vgpu {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"  // Clang has no ivdep and checks at run time

// to[lane] = value(lane) for the lanes of `mask`; the others keep theirs. `value` is also computed
// for lanes outside the mask, so it must be harmless there.
template <class T, class Value>
inline __attribute__((always_inline)) void set_lanes(T* to, LaneMask mask, Value value) {
  if (mask == kAllLanes) {
#pragma GCC ivdep
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) to[lane] = value(lane);
  } else {
#pragma GCC ivdep
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      const T computed = value(lane);
      const T kept = to[lane];
      to[lane] = ((mask >> lane) & 1) != 0 ? computed : kept;
    }
  }
}

// The same for registers that hold kParts values a lane, side by side.
template <int kParts, class T, class Value>
inline __attribute__((always_inline)) void set_parts(T* to, LaneMask mask, Value value) {
  if (mask == kAllLanes) {
#pragma GCC ivdep
    for (std::uint32_t i = 0; i < kParts * kLanes; ++i) to[i] = value(i);
    return;
  }
#pragma GCC ivdep
  for (std::uint32_t i = 0; i < kParts * kLanes; ++i) {
    const T computed = value(i);
    const T kept = to[i];
    to[i] = ((mask >> (i / kParts)) & 1) != 0 ? computed : kept;
  }
}

#pragma GCC diagnostic pop

// The mask of the lanes where test(lane) holds.
template <class Test>
inline __attribute__((always_inline)) LaneMask lanes_where(Test test) {
  LaneMask result = 0;
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    result |= static_cast<LaneMask>(test(lane) ? 1 : 0) << lane;
  }
  return result;
}

// Calls visit(lane) for the lanes of `mask` alone, in order.
template <class Visit>
inline __attribute__((always_inline)) void for_lanes(LaneMask mask, Visit visit) {
  while (mask != 0) {
    visit(static_cast<std::uint32_t>(std::countr_zero(mask)));
    mask &= mask - 1;
  }
}

// Lanes of `mask` take their bits from `value`.
inline LaneMask blend(LaneMask old, LaneMask value, LaneMask mask) {
  return (old & ~mask) | (value & mask);
}

}  // namespace vgpu

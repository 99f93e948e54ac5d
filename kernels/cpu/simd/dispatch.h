#pragma once

#include "kernels/cpu/isa.h"

namespace siamese {

/// get.operator()<isa>() for the instruction set that was chosen at run time, among those built.
template <class Get>
auto for_chosen_isa(const Get& get) {
#ifdef __x86_64__
  switch (chosen_isa()) {
    case Isa::avx512:
      return get.template operator()<Isa::avx512>();
    case Isa::avx2:
      return get.template operator()<Isa::avx2>();
    default:
      return get.template operator()<Isa::sse2>();
  }
#else
  return get.template operator()<Isa::neon>();
#endif
}

}  // namespace siamese

#pragma once

#ifdef __x86_64__
#include <xmmintrin.h>
#endif

#include <cstdint>

namespace siamese {

/// While it lives, this thread's arithmetic takes numbers below the smallest normal one (1.2e-38,
/// 2.2e-308 in float64) for 0, in operands and in results: they are nothing beside any tolerance
/// here, but Adam's moments of a parameter that has no gradient any more decay into them, and a
/// processor may take a hundred times as long for one. The thread's own mode returns afterwards.
class FlushToZero {
 public:
  FlushToZero() : before_(mode()) { set_mode(before_ | flush_bits); }
  ~FlushToZero() { set_mode(before_); }
  FlushToZero(const FlushToZero&) = delete;
  FlushToZero& operator=(const FlushToZero&) = delete;

 private:
#ifdef __x86_64__
  using Mode = std::uint32_t;
  static constexpr Mode flush_bits = 0x8040;  // FTZ and DAZ of MXCSR
  static Mode mode() { return _mm_getcsr(); }
  static void set_mode(Mode mode) { _mm_setcsr(mode); }
#else
  using Mode = std::uint64_t;
  static constexpr Mode flush_bits = Mode{1} << 24U;  // FZ of FPCR
  static Mode mode() {
    Mode mode = 0;
    asm volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
  }
  static void set_mode(Mode mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
#endif

  Mode before_;
};

}  // namespace siamese

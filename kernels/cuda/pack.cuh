#pragma once

#include <cstdint>

namespace siamese::cuda {

/// 16 bytes of neighbouring elements, which load and store as one instruction.
template <class T>
struct alignas(16) Pack {
  static constexpr int size = 16 / sizeof(T);
  T elements[size];
};

template <class T>
__device__ Pack<T> load_pack(const T* from) {
  return *reinterpret_cast<const Pack<T>*>(from);
}

/// A pack of what the kernel only reads, or zeros where it does not exist. As one predicated
/// instruction: compilers make a branch of it, at whose end the load has to be there.
__device__ inline Pack<float> load_pack_if(bool exists, const float* from) {
  Pack<float> pack;
  float(&e)[4] = pack.elements;
  asm("{\n.reg .pred exists;\nsetp.ne.u32 exists, %5, 0;\n"
      "mov.f32 %0, 0f00000000;\nmov.f32 %1, 0f00000000;\n"
      "mov.f32 %2, 0f00000000;\nmov.f32 %3, 0f00000000;\n"
      "@exists ld.global.nc.v4.f32 {%0, %1, %2, %3}, [%4];\n}"
      : "=&f"(e[0]), "=&f"(e[1]), "=&f"(e[2]), "=&f"(e[3])
      : "l"(__cvta_generic_to_global(from)), "r"(static_cast<int>(exists)));
  return pack;
}

template <class T>
__device__ void store_pack(T* to, const Pack<T>& pack) {
  *reinterpret_cast<Pack<T>*>(to) = pack;
}

/// Whether an address can hold a Pack.
__host__ __device__ inline bool holds_packs(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address) % 16 == 0;
}

/// Whether rows of so many columns hold neighbours, from even columns on, as a float2.
template <class Count>
__host__ __device__ bool holds_pairs(const float* rows, Count columns) {
  return columns % 2 == 0 && reinterpret_cast<std::uintptr_t>(rows) % sizeof(float2) == 0;
}

}  // namespace siamese::cuda

#pragma once

#include <cstdint>

#include "kernels/cpu/parallel.h"
#include "model/network.h"

// How much work an op is, and how many threads pay for it. A team starts, meets at barriers and
// ends in some microseconds, and each thread finds in its own caches nothing of what the other
// wrote: two threads took a fifth longer than one for a step of 30 points (8 million operations)
// and two thirds of its time for 256 (67 million), the seed's network on two cores.

namespace siamese {

inline constexpr double least_flops_a_thread = 8e6;
inline constexpr double least_pairs_a_thread = 4e3;
inline constexpr double least_updates_a_thread = 2e4;

inline double forward_flops(const Network& network, std::int64_t points) {
  return 2.0 * static_cast<double>(network.forward_multiply_adds()) * static_cast<double>(points);
}

inline double backward_flops(const Network& network, std::int64_t points) {
  return 2.0 * static_cast<double>(network.backward_multiply_adds()) * static_cast<double>(points);
}

inline int threads_for_flops(double flops) { return threads_for(flops, least_flops_a_thread); }

inline int threads_for_pairs(std::int64_t pairs) {
  return threads_for(static_cast<double>(pairs), least_pairs_a_thread);
}

}  // namespace siamese

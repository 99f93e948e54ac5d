#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "kernels/cuda/train_step_composed.h"
#include "kernels/ops.h"
#include "kernels/variant.h"

// The two passes of a training step by cuBLASLt with all matrices between its products kept in
// bf16, as a caller keeps them who wants the most of the library: half the bytes of float32, and
// products that read them as they are. X and the parameters, which stay in float32, are rounded at
// the beginning of a step; E, G and the gradients are float32 again. Widths are padded, so that
// every row begins at a multiple of 16 bytes. Layouts: stored_rows.h.
//
// The batch goes through whole. Dense pairs could go in chunks that stay in the L2 cache, of some
// 16,384 points of the seed's network. That would spare memory eleven passes over rows of 416
// bytes, 22 us a chunk at an H100's bandwidth, of which L2 would take about half itself; and each
// chunk would be 16 launches more, which took 0.97 us each there, in a graph, with nothing to do.
//
//   forward   h_l = relu(h_{l-1} W_l + b_l), leaving relu's mask, in one product (RELU_AUX_BIAS);
//             what is not relu, and E, by way of float32 and a launch
//   backward  dW_l above db_l = [h_{l-1}, 1]^T dz_l, one product straight to the flat gradients;
//             dz_{l-1} = dz_l W_l^T masked, in one product (DRELU)

namespace siamese::cublas {

/// What hidden widths, with their 1 behind, are padded to multiples of. Wider rows are more work
/// and more bytes, but products are made of tiles: which is faster is for a trial to say. (200 is
/// padded to 208 and to 256.)
inline constexpr std::array<std::int64_t, 2> hidden_steps{8, 64};

/// Plans both passes, with hidden widths padded to multiples of `step`. forward.hidden and
/// backward.hidden are not used: what the passes hand to each other is theirs.
cuda::LayerLaunches plan_stored_layers(const PairForwardArgs<float>& forward,
                                       const PairBackwardArgs<float>& backward, std::int64_t step);

/// The step with which the two passes take the least time, found by a trial of each on numbers of
/// its own. `milliseconds` runs a launch on the device, and times it.
std::int64_t fastest_step(const PairForwardArgs<float>& forward,
                          const PairBackwardArgs<float>& backward,
                          const std::function<float(const Launch&)>& milliseconds);

/// The same by the device's clock, once for a network and a number of points in a process; where
/// the device tells no time, the first of hidden_steps.
std::int64_t chosen_step(const PairForwardArgs<float>& forward,
                         const PairBackwardArgs<float>& backward);

}  // namespace siamese::cublas

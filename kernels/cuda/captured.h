#pragma once

#include "kernels/variant.h"

namespace siamese::cuda {

/// The work that `launch` puts on a stream, captured once as a graph: one call replays all of its
/// launches. What a launch reads from the host it reads now; what lives on the device, Adam's step
/// count among it, goes on from replay to replay. `launch` must not synchronise or allocate.
Launch captured(const Launch& launch);

}  // namespace siamese::cuda

#pragma once

#include <memory>

#include "kernels/cuda/weight_image.h"
#include "kernels/ops.h"
#include "kernels/variant.h"

// pair_forward/fused and pair_backward/fused as the passes of one step, whose parameters are the
// same for both: backward need not make an image of them again where both lay it out alike. They
// do where no width that a layer reads is a multiple of 16, so that the column of ones behind it,
// which backward has, lies in the padding.

namespace siamese::cuda {

/// What forward makes, of a network that why_not_fused has nothing against.
std::shared_ptr<const PlacedImage> image_of_forward(const Network& network);

/// Makes the image and reads it.
Launch prepare_forward_fused(const PairForwardArgs<float>& args,
                             const std::shared_ptr<const PlacedImage>& image);

/// Reads `made`, if that is laid out as backward has it, or makes one of its own.
Launch prepare_backward_fused(const PairBackwardArgs<float>& args,
                              const std::shared_ptr<const PlacedImage>& made);

}  // namespace siamese::cuda

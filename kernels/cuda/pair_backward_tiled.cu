// Backward, rung 2: both products of a layer (layerwise_backward.cuh) in tiles
// (tiled_product.cuh). The naive rung had a thread per weight sum over all n points; here the
// points are cut into parts that fill the device.

#include "kernels/cuda/layerwise_backward.cuh"
#include "kernels/cuda/tiled_product.cuh"

namespace siamese::cuda {
namespace {

const Register<PairBackwardArgs<float>> float32(
    layerwise_backward<TiledProducts>("tiled", 2, Precision::float32));

}  // namespace
}  // namespace siamese::cuda

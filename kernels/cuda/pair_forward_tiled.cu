// Forward, rung 2: a product a layer (layerwise_forward.cuh) in tiles (tiled_product.cuh). In the
// naive rung each multiply-add loaded two operands; here a thread of a 128 x 40 tile loads 13 for
// 40 multiply-adds, from shared memory, and global memory is read once per tile. A launch a layer;
// the activations still travel through memory between the layers.

#include "kernels/cuda/layerwise_forward.cuh"
#include "kernels/cuda/tiled_product.cuh"

namespace siamese::cuda {
namespace {

const Register<PairForwardArgs<float>> float32(
    layerwise_forward<TiledProducts>("tiled", 2, Precision::float32));

}  // namespace
}  // namespace siamese::cuda

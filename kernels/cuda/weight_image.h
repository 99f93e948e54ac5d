#pragma once

#include <cuda_runtime_api.h>

#include "kernels/cuda/fused_plan.h"
#include "kernels/device.h"

namespace siamese::cuda {

/// Parameters as fused rungs keep them at the beginning of a block's shared memory: of each layer W
/// in bf16 and b in float32, zeros in the padding. It is made once in global memory and copied by
/// every block as it is: to round all parameters anew takes one block longer than a small batch.
struct WeightImage {
  enum class Form {
    lines,  ///< W [depth, pitch], for mma.sync
    blocks  ///< W [depth, columns] in the blocks of warpgroup.cuh
  };
  Form form;
  int layers;
  FusedLayer layer[most_fused_layers];
  int bytes;  ///< a multiple of 16

  bool operator==(const WeightImage&) const = default;
};

/// Of `layers` layers whose W and b were the first to take their places.
WeightImage weight_image(WeightImage::Form form, const FusedLayer* layers, int count);

/// An image with its place in global memory.
struct PlacedImage {
  WeightImage plan;
  Buffer<unsigned char> place;

  explicit PlacedImage(const WeightImage& of) : plan(of), place(Device::cuda, of.bytes) {}
};

/// Rounds the flat parameters into `image`, on `stream`.
void launch_weight_image(const WeightImage& plan, const float* parameters, unsigned char* image,
                         cudaStream_t stream);

}  // namespace siamese::cuda

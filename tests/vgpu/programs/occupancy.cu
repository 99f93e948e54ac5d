// Properties of the device, attributes of kernels and the occupancy that follows from them.
#include "tests/vgpu/programs/program.cuh"

__global__ void __launch_bounds__(256) with_shared(float* y) {
  __shared__ float buffer[4096];  // 16 KiB
  buffer[threadIdx.x] = threadIdx.x;
  __syncthreads();
  y[threadIdx.x] = buffer[blockDim.x - 1 - threadIdx.x];
}

int main() {
  int count = 0;
  check(cudaGetDeviceCount(&count));
  expect(count >= 1, "a device");
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0));
  int value = 0;
  check(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0));
  expect(static_cast<std::size_t>(value) == properties.sharedMemPerBlockOptin,
         "attributes and properties to agree");
  expect(properties.warpSize == 32 && properties.major >= 8, "warps of 32, capability 8 or above");

  cudaFuncAttributes attributes{};
  check(cudaFuncGetAttributes(&attributes, with_shared));
  expect(attributes.sharedSizeBytes == 16384, "16 KiB of static shared memory");
  expect(attributes.maxThreadsPerBlock == 256, "the launch bounds");

  int blocks = 0;
  check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, with_shared, 256, 0));
  expect(blocks >= 1 && blocks <= properties.maxThreadsPerMultiProcessor / 256,
         "no more blocks than threads allow");
  int fewer = 0;
  check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&fewer, with_shared, 256, 32768));
  expect(fewer >= 1 && fewer <= static_cast<int>(properties.sharedMemPerMultiprocessor / 49152),
         "no more blocks than shared memory allows");

  int grid = 0;
  int block = 0;
  check(cudaOccupancyMaxPotentialBlockSize(&grid, &block, with_shared));
  expect(grid > 0 && block > 0 && block <= 256, "a block size within the launch bounds");

  check(cudaDeviceGetAttribute(&value, cudaDevAttrClusterLaunch, 0));
  const bool has_clusters = value != 0;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(16);
  config.blockDim = dim3(256);
  int size = 0;
  expect((cudaOccupancyMaxPotentialClusterSize(&size, with_shared, &config) == cudaSuccess) ==
             has_clusters,
         "the size of a cluster where there are clusters, and an error elsewhere");
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim = {2, 1, 1};
  config.attrs = &attribute;
  config.numAttrs = 1;
  int clusters = 0;
  expect((cudaOccupancyMaxActiveClusters(&clusters, with_shared, &config) == cudaSuccess) ==
             has_clusters,
         "the count of clusters where there are clusters, and an error elsewhere");
  if (has_clusters) expect(size >= 8 && clusters > 0, "clusters of 8 blocks, and one or more of 2");
}

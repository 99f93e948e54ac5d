// Blocks of a cluster that read one another's shared memory.
#include <cooperative_groups.h>

#include "tests/vgpu/programs/program.cuh"

namespace cg = cooperative_groups;

// Each block sums its part of x; every block of a cluster then adds up its cluster's sums.
__global__ void cluster_sums(const float* x, float* sums) {
  __shared__ float own;
  const cg::cluster_group cluster = cg::this_cluster();
  float value = x[blockIdx.x * 32 + threadIdx.x];
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(~0U, value, offset);
  if (threadIdx.x == 0) own = value;
  cluster.sync();
  if (threadIdx.x == 0) {
    float total = 0;
    for (unsigned rank = 0; rank < cluster.num_blocks(); ++rank) {
      total += *cluster.map_shared_rank(&own, rank);
    }
    sums[blockIdx.x] = total;
  }
  cluster.sync();  // no block may end while another reads its memory
}

int main() {
  for (const int cluster_blocks : {1, 2, 4, 8}) {
    constexpr int blocks = 16;
    const std::vector<float> x = random_values(blocks * 32, 8);
    std::vector<double> want(blocks, 0.0);
    for (int block = 0; block < blocks; ++block) {
      const int first = block / cluster_blocks * cluster_blocks;
      for (int i = first * 32; i < (first + cluster_blocks) * 32; ++i) want[block] += x[i];
    }
    DeviceArray<float> device_x(x), sums(blocks);
    cudaLaunchAttribute attribute{};
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim.x = cluster_blocks;
    attribute.val.clusterDim.y = 1;
    attribute.val.clusterDim.z = 1;
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(blocks);
    config.blockDim = dim3(32);
    config.attrs = &attribute;
    config.numAttrs = 1;
    check(cudaLaunchKernelEx(&config, cluster_sums, static_cast<const float*>(device_x.data()),
                             sums.data()));
    expect_close(sums.values(), want, 1e-4);
  }
}

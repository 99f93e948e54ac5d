// A tile that threads have stored and that a bulk copy takes to global memory. The barrier orders
// the copy after the stores, but the engine that copies sees them only after a proxy fence.
#include "tests/vgpu/programs/planted/planted.cuh"

template <bool bug>
__global__ void copy_out(const float* x, float* y) {
  __shared__ __align__(16) float tile[128];
  tile[threadIdx.x] = x[threadIdx.x];
  if (!bug) asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  if (threadIdx.x != 0) return;
  asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(y),
               "r"(static_cast<unsigned>(__cvta_generic_to_shared(tile))), "n"(sizeof tile)
               : "memory");
  asm volatile("cp.async.bulk.commit_group;");
  asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
}

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  const std::vector<float> x = random_values(128, 1);
  DeviceArray<float> device_x(x), y(128);
  if (bug) {
    copy_out<true><<<1, 128>>>(device_x.data(), y.data());
  } else {
    copy_out<false><<<1, 128>>>(device_x.data(), y.data());
  }
  check_launch();
  const std::vector<float> got = y.values();
  if (!bug) expect_close(got, x, 0);
}

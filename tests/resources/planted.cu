// Kernels that break the budgets of planted_budgets.txt, each in one way, and one that is not what
// it says.

// Sums that are indexed at run time, so that no register can hold them.
__global__ void spilled_sums(const float* in, const int* where, float* out) {
  float sums[64] = {};
  for (int i = 0; i < 1024; ++i) sums[where[i] & 63] += in[i];
  for (int i = 0; i < 64; ++i) out[i] = sums[i];
}

__device__ void sum_in_registers(const float* in, float* out) {
  float sums[64] = {};
  for (int i = 0; i < 1024; ++i) {
#pragma unroll
    for (int j = 0; j < 64; ++j) sums[j] += in[i] * in[i + j];
  }
#pragma unroll
  for (int j = 0; j < 64; ++j) out[j] = sums[j];
}

__global__ void many_registers(const float* in, float* out) { sum_in_registers(in, out); }

struct Argument {};
template <class>
__global__ void own_budget(const float* in, float* out) {
  sum_in_registers(in, out);
}
template __global__ void own_budget<int>(const float*, float*);
template __global__ void own_budget<Argument>(const float*, float*);

enum class Order { rows };
template <Order, int, int>
__global__ void tile(const float* in, float* out) {
  sum_in_registers(in, out);
}
template __global__ void tile<Order::rows, 32, 8>(const float*, float*);
template __global__ void tile<Order::rows, 32, 16>(const float*, float*);

__global__ void much_shared_memory(const float* in, float* out) {
  __shared__ float slice[1024];
  slice[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = slice[1023 - threadIdx.x];
}

// Says by its argument that it multiplies on warpgroups, and does not.
struct Wgmma {};
template <class>
__global__ void plain_product(float* out) {
  *out = *out * *out;
}
template __global__ void plain_product<Wgmma>(float*);

__global__ void without_budget(float* out) { *out = 1.0F; }

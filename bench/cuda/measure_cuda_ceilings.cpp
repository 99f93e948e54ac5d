#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "bench/cuda/copy_again.h"
#include "bench/cuda/gate.h"
#include "bench/cuda_ceilings.h"
#include "bench/timing.h"
#include "kernels/cublas/blas.h"
#include "kernels/cuda/captured.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/launch.h"
#include "kernels/device.h"

namespace siamese::bench {
namespace {

using cuda::cuda_stream;

constexpr int rounds = 10;

/// The least seconds of several launches: a disturbance makes one longer, never shorter.
double fastest(Stopwatch& stopwatch, const Launch& launch) {
  stopwatch.seconds(launch);
  double best = stopwatch.seconds(launch);
  for (int round = 1; round < rounds; ++round) best = std::min(best, stopwatch.seconds(launch));
  return best;
}

/// Bytes read and written a second by a copy far beyond the caches.
double memory_bandwidth(Stopwatch& stopwatch) {
  constexpr std::int64_t bytes = std::int64_t{2} << 30;
  const Buffer<char> from(Device::cuda, bytes);
  const Buffer<char> to(Device::cuda, bytes);
  const double seconds = fastest(stopwatch, [&](Stream stream) {
    SIAMESE_CHECK_CUDA(cudaMemcpyAsync(to.data(), from.data(), static_cast<std::size_t>(bytes),
                                       cudaMemcpyDeviceToDevice, cuda_stream(stream)));
  });
  return 2.0 * static_cast<double>(bytes) / seconds;
}

/// The same by copies of one buffer to another, again and again, which together take a quarter of
/// the L2 cache or less: its halves each serve their own multiprocessors.
double l2_bandwidth(Stopwatch& stopwatch, std::int64_t l2_bytes) {
  constexpr int times = 100;
  const CopyAgain copies;
  const std::int64_t rounds = std::max<std::int64_t>(1, l2_bytes / 8 / copies.round_bytes());
  const std::int64_t bytes = rounds * copies.round_bytes();
  const Buffer<char> from(Device::cuda, bytes);
  const Buffer<char> to(Device::cuda, bytes);
  const double seconds = fastest(stopwatch, [&](Stream stream) {
    copies.launch(from.data(), to.data(), bytes, times, cuda_stream(stream));
  });
  return 2.0 * static_cast<double>(bytes) * times / seconds;
}

/// Random bytes that are small numbers in bf16, float32 and float64 alike: products of zeros would
/// take less power, and run faster, than those of any data.
std::vector<std::uint16_t> random_operand(std::int64_t bytes) {
  std::mt19937 generator(1);
  std::vector<std::uint16_t> block(4096);
  for (std::uint16_t& half : block) {
    half = static_cast<std::uint16_t>((generator() & 0x80FFU) | 0x3F00U);
  }
  std::vector<std::uint16_t> operand(static_cast<std::size_t>(bytes) / sizeof(std::uint16_t));
  for (std::size_t i = 0; i < operand.size(); ++i) operand[i] = block[i % block.size()];
  return operand;
}

/// Operations a second of C = A B, all square, by cuBLAS.
double product_peak(Stopwatch& stopwatch, int size, cudaDataType_t type, std::int64_t element_bytes,
                    cublasComputeType_t compute) {
  const std::int64_t bytes = std::int64_t{size} * size * element_bytes;
  const Buffer<std::uint16_t> a(Device::cuda, random_operand(bytes));
  const Buffer<std::uint16_t> b(Device::cuda, random_operand(bytes));
  const Buffer<char> c(Device::cuda, bytes);
  const cublas::Scratch workspace;
  cublasHandle_t handle = nullptr;
  SIAMESE_CHECK_CUBLAS(cublasCreate(&handle));
  const double wide[2] = {1.0, 0.0};  // alpha and beta, in the type that products are summed in
  const float narrow[2] = {1.0F, 0.0F};
  const bool is_wide = type == CUDA_R_64F;
  const void* const alpha = is_wide ? static_cast<const void*>(&wide[0]) : &narrow[0];
  const void* const beta = is_wide ? static_cast<const void*>(&wide[1]) : &narrow[1];
  const double seconds = fastest(stopwatch, [&](Stream stream) {
    SIAMESE_CHECK_CUBLAS(cublasSetStream(handle, cuda_stream(stream)));
    SIAMESE_CHECK_CUBLAS(cublasSetWorkspace(handle, workspace.data(), cublas::workspace_bytes));
    SIAMESE_CHECK_CUBLAS(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, size, size, size, alpha,
                                      a.data(), type, size, b.data(), type, size, beta, c.data(),
                                      type, size, compute, CUBLAS_GEMM_DEFAULT));
  });
  SIAMESE_CHECK_CUBLAS(cublasDestroy(handle));
  return 2.0 * size * size * static_cast<double>(size) / seconds;
}

/// Seconds of one of many kernels that do nothing, in a graph.
double graph_node_seconds(Stopwatch& stopwatch) {
  constexpr int nodes = 200;
  const Launch graph = cuda::captured([](Stream stream) {
    for (int node = 0; node < nodes; ++node) launch_nothing(cuda_stream(stream));
  });
  return fastest(stopwatch, graph) / nodes;
}

}  // namespace

CudaCeilings measure_cuda_ceilings() {
  cudaDeviceProp device{};
  SIAMESE_CHECK_CUDA(cudaGetDeviceProperties(&device, 0));
  const std::unique_ptr<Stopwatch> stopwatch = make_stopwatch(Device::cuda);
  constexpr int large = 8192;
  CudaCeilings ceilings;
  ceilings.bf16 = product_peak(*stopwatch, large, CUDA_R_16BF, 2, CUBLAS_COMPUTE_32F);
  ceilings.tf32 = product_peak(*stopwatch, large, CUDA_R_32F, 4, CUBLAS_COMPUTE_32F_FAST_TF32);
  ceilings.float32 = product_peak(*stopwatch, large, CUDA_R_32F, 4, CUBLAS_COMPUTE_32F_PEDANTIC);
  ceilings.float64 = product_peak(*stopwatch, large / 2, CUDA_R_64F, 8, CUBLAS_COMPUTE_64F);
  ceilings.l2_bytes = device.l2CacheSize;
  ceilings.l2_bandwidth = l2_bandwidth(*stopwatch, device.l2CacheSize);
  ceilings.memory_bandwidth = memory_bandwidth(*stopwatch);
  ceilings.launch_seconds =
      fastest(*stopwatch, [](Stream stream) { launch_nothing(cuda_stream(stream)); });
  ceilings.node_seconds = graph_node_seconds(*stopwatch);
  for (int round = 0; round < rounds; ++round) {
    ceilings.clock_hertz = std::max(ceilings.clock_hertz, stopwatch->speed());
  }
  return ceilings;
}

}  // namespace siamese::bench

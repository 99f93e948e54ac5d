#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>

#include "kernels/backends.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/probe.h"
#include "model/error.h"

namespace siamese {
namespace {

using cuda::cuda_stream;

std::string version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

cudaDeviceProp properties() {
  int device = 0;
  SIAMESE_CHECK_CUDA(cudaGetDevice(&device));
  cudaDeviceProp found{};
  SIAMESE_CHECK_CUDA(cudaGetDeviceProperties(&found, device));
  return found;
}

int driver_version() {
  int version = 0;
  SIAMESE_CHECK_CUDA(cudaDriverGetVersion(&version));
  return version;
}

std::optional<std::string> find_obstacle() {
  const int driver = driver_version();
  if (driver == 0) return "cuda: no NVIDIA driver is installed";

  int devices = 0;
  const cudaError_t count_error = cudaGetDeviceCount(&devices);
  if (count_error != cudaSuccess) {
    cudaGetLastError();  // an answer here, not an error of the next call
    return fmt::format("cuda: no device: {} (driver {}, runtime {})",
                       cudaGetErrorString(count_error), version_text(driver),
                       version_text(CUDART_VERSION));
  }
  if (devices == 0) return "cuda: no device found";

  const cudaError_t code_error = cuda::probe_code();
  if (code_error != cudaSuccess) {
    const cudaDeviceProp device = properties();
    return fmt::format("cuda: no code for {} (sm_{}{}): this program holds code for {} ({})",
                       device.name, device.major, device.minor, SIAMESE_CUDA_ARCHITECTURES,
                       cudaGetErrorString(code_error));
  }
  return std::nullopt;
}

class CudaBackend final : public DeviceBackend {
 public:
  std::optional<std::string> why_unavailable() const override {
    static const std::optional<std::string> obstacle = find_obstacle();
    return obstacle;
  }

  void* allocate(std::int64_t bytes) override {
    void* memory = nullptr;
    SIAMESE_CHECK_CUDA(
        cudaMalloc(&memory, static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1))));
    return memory;
  }
  void release(void* memory) noexcept override { SIAMESE_REPORT_CUDA(cudaFree(memory)); }

  // These three wait for all streams, also for those that do not wait for the default stream.
  void poison(void* memory, std::int64_t bytes) override {
    wait();
    SIAMESE_CHECK_CUDA(cudaMemset(memory, 0xFF, static_cast<std::size_t>(bytes)));
    wait();
  }
  void copy_in(void* to, const void* from, std::int64_t bytes) override {
    copy(to, from, bytes, cudaMemcpyHostToDevice);
  }
  void copy_out(void* to, const void* from, std::int64_t bytes) override {
    copy(to, from, bytes, cudaMemcpyDeviceToHost);
  }

  void synchronize(Stream stream) override {
    SIAMESE_CHECK_CUDA(cudaStreamSynchronize(cuda_stream(stream)));
  }

  std::string description() const override {
    const cudaDeviceProp device = properties();
    return fmt::format("{}, {} SMs, driver {}", device.name, device.multiProcessorCount,
                       version_text(driver_version()));
  }

 private:
  static void wait() { SIAMESE_CHECK_CUDA(cudaDeviceSynchronize()); }
  static void copy(void* to, const void* from, std::int64_t bytes, cudaMemcpyKind kind) {
    if (bytes == 0) return;
    wait();
    SIAMESE_CHECK_CUDA(cudaMemcpy(to, from, static_cast<std::size_t>(bytes), kind));
    wait();
  }
};

}  // namespace

DeviceBackend& cuda_backend() {
  static CudaBackend cuda;
  return cuda;
}

}  // namespace siamese

#include "kernels/cublas/trial.h"

#include <algorithm>
#include <cstddef>

#include "kernels/cublas/elementwise.h"
#include "kernels/cuda/check.h"
#include "model/random.h"

namespace siamese::cublas {

std::uint32_t alignment(const void* address) {
  const auto number = reinterpret_cast<std::uintptr_t>(address);
  return static_cast<std::uint32_t>(std::min<std::uintptr_t>(256, number & (~number + 1)));
}

TrialOperands::TrialOperands(const LtOperands& operands, const LtEpilogue& epilogue)
    : operands_(operands), epilogue_(epilogue) {
  const std::int64_t n = rows(operands);
  const std::int64_t width = columns(operands);
  operands_.a.data = twin(operands.a.data, operands.a.rows * operands.a.columns);
  operands_.b.data = twin(operands.b.data, operands.b.rows * operands.b.columns);
  operands_.c = blank(operands.c, n * width);
  epilogue_.bias = twin(epilogue.bias, width);
  epilogue_.mask = reinterpret_cast<std::uint32_t*>(twin(epilogue.mask, n * mask_bits(width) / 32));
}

// A buffer begins at a multiple of 256 bytes, so that what is so many bytes behind is aligned to
// just as many.
float* TrialOperands::blank(const void* original, std::int64_t count) {
  if (original == nullptr) return nullptr;
  const std::int64_t skipped = alignment(original) % 256 / sizeof(float);
  return memory_.emplace_back(Device::cuda, skipped + count).data() + skipped;
}

// The numbers of a period are drawn, and copied on the device to twice as many at a time.
float* TrialOperands::twin(const void* original, std::int64_t count) {
  float* const values = blank(original, count);
  if (values == nullptr) return nullptr;
  constexpr std::int64_t period = 65537;  // no width divides a prime
  const auto bytes = [](std::int64_t floats) {
    return floats * static_cast<std::int64_t>(sizeof(float));
  };
  const std::int64_t drawn = std::min(period, count);
  std::vector<float> first(static_cast<std::size_t>(drawn));
  Random random(1);
  for (float& value : first) value = static_cast<float>(2 * random.uniform() - 1);
  backend(Device::cuda).copy_in(values, first.data(), bytes(drawn));
  for (std::int64_t done = drawn; done < count; done *= 2) {
    const auto more = static_cast<std::size_t>(bytes(std::min(done, count - done)));
    SIAMESE_CHECK_CUDA(cudaMemcpy(values + done, values, more, cudaMemcpyDeviceToDevice));
  }
  backend(Device::cuda).synchronize({});  // a trial's stream waits for no other
  return values;
}

TrialStream::TrialStream() {
  SIAMESE_CHECK_CUDA(cudaEventCreate(&begin_));
  SIAMESE_CHECK_CUDA(cudaEventCreate(&end_));
}

TrialStream::~TrialStream() {
  SIAMESE_REPORT_CUDA(cudaEventDestroy(end_));
  SIAMESE_REPORT_CUDA(cudaEventDestroy(begin_));
}

bool TrialStream::has_clock() const {
  static const bool has = [this] {
    run([](Stream) {});
    float ignored = 0.0F;
    const cudaError_t status = cudaEventElapsedTime(&ignored, begin_, end_);
    if (status == cudaErrorNotSupported) {
      cudaGetLastError();  // an answer here, not an error of the next call
      return false;
    }
    SIAMESE_CHECK_CUDA(status);
    return true;
  }();
  return has;
}

float TrialStream::milliseconds(const Launch& launch) const {
  run(launch);
  float milliseconds = 0.0F;
  SIAMESE_CHECK_CUDA(cudaEventElapsedTime(&milliseconds, begin_, end_));
  return milliseconds;
}

void TrialStream::run(const Launch& launch) const {
  SIAMESE_CHECK_CUDA(cudaEventRecord(begin_, stream_.get()));
  launch(get());
  SIAMESE_CHECK_CUDA(cudaEventRecord(end_, stream_.get()));
  SIAMESE_CHECK_CUDA(cudaEventSynchronize(end_));
}

}  // namespace siamese::cublas

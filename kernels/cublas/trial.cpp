#include "kernels/cublas/trial.h"

#include <cuda_bf16.h>

#include <algorithm>
#include <cstddef>

#include "kernels/cublas/elementwise.h"
#include "kernels/cuda/check.h"
#include "model/random.h"

namespace siamese::cublas {
namespace {

std::int64_t bytes(cudaDataType type, std::int64_t count) {
  return count * (type == CUDA_R_16BF ? 2 : 4);
}

}  // namespace

std::vector<float> trial_numbers(std::int64_t count) {
  std::vector<float> numbers(static_cast<std::size_t>(count));
  Random random(1);
  for (float& number : numbers) number = static_cast<float>(2 * random.uniform() - 1);
  return numbers;
}

std::uint32_t alignment(const void* address) {
  const auto number = reinterpret_cast<std::uintptr_t>(address);
  return static_cast<std::uint32_t>(std::min<std::uintptr_t>(256, number & (~number + 1)));
}

TrialOperands::TrialOperands(const LtOperands& operands, const LtEpilogue& epilogue)
    : operands_(operands), epilogue_(epilogue) {
  const std::int64_t n = rows(operands);
  const std::int64_t width = columns(operands);
  const auto twin_of = [this](const LtMatrix& matrix) {
    return twin(matrix.data, matrix.type, matrix.rows * matrix.pitch);
  };
  operands_.a.data = twin_of(operands.a);
  operands_.b.data = twin_of(operands.b);
  operands_.c.data = blank(operands.c.data, operands.c.type, n * pitch(operands));
  epilogue_.bias = twin(epilogue.bias, operands.c.type, width);
  epilogue_.mask =
      static_cast<std::uint32_t*>(twin(epilogue.mask, CUDA_R_32F, n * mask_bits(width) / 32));
}

// A buffer begins at a multiple of 256 bytes, so that what is so many bytes behind is aligned to
// just as many.
void* TrialOperands::blank(const void* original, cudaDataType type, std::int64_t count) {
  if (original == nullptr) return nullptr;
  const std::int64_t skipped = alignment(original) % 256;
  return memory_.emplace_back(Device::cuda, skipped + bytes(type, count)).data() + skipped;
}

// The numbers of a period are drawn, and copied on the device to twice as many at a time.
void* TrialOperands::twin(const void* original, cudaDataType type, std::int64_t count) {
  auto* const values = static_cast<std::byte*>(blank(original, type, count));
  if (values == nullptr) return nullptr;
  constexpr std::int64_t period = 65537;  // no width divides a prime
  const std::vector<float> first = trial_numbers(std::min(period, count));
  const std::vector<__nv_bfloat16> rounded(first.begin(), first.end());
  const void* const numbers = type == CUDA_R_16BF ? static_cast<const void*>(rounded.data())
                                                  : static_cast<const void*>(first.data());
  const std::int64_t drawn = bytes(type, static_cast<std::int64_t>(first.size()));
  const std::int64_t all = bytes(type, count);
  backend(Device::cuda).copy_in(values, numbers, drawn);
  for (std::int64_t done = drawn; done < all; done *= 2) {
    const auto more = static_cast<std::size_t>(std::min(done, all - done));
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

#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/cublas/lt.h"
#include "kernels/cuda/private_stream.h"
#include "kernels/device.h"
#include "kernels/variant.h"

namespace siamese::cublas {

/// The largest power of 2, up to 256, that an address is a multiple of; 0 for null.
std::uint32_t alignment(const void* address);

/// Random numbers from -1 to 1, as a device may be faster at zeros.
std::vector<float> trial_numbers(std::int64_t count);

/// Operands of a product in memory of their own, in the shapes and alignments of given ones, which
/// a trial must leave alone. They hold random numbers, as a device may be faster at zeros; but for
/// C, which is only written.
class TrialOperands {
 public:
  TrialOperands(const LtOperands& operands, const LtEpilogue& epilogue);

  const LtOperands& operands() const { return operands_; }
  const LtEpilogue& epilogue() const { return epilogue_; }

 private:
  /// `count` elements of a type, with and without numbers in them; null for null.
  void* twin(const void* original, cudaDataType type, std::int64_t count);
  void* blank(const void* original, cudaDataType type, std::int64_t count);

  std::vector<Buffer<std::byte>> memory_;
  LtOperands operands_;
  LtEpilogue epilogue_;
};

/// A stream on which launches are timed by the device's clock.
class TrialStream {
 public:
  TrialStream();
  TrialStream(const TrialStream&) = delete;
  TrialStream& operator=(const TrialStream&) = delete;
  ~TrialStream();

  Stream get() const { return {stream_.get()}; }

  /// Whether the device tells time, which the virtual GPU refuses to. Asked once in a process.
  bool has_clock() const;

  /// Waits until it is done. Throws Failure without a clock.
  float milliseconds(const Launch& launch) const;

 private:
  /// Brackets a launch with the two events, and waits for it.
  void run(const Launch& launch) const;

  cuda::PrivateStream stream_;
  cudaEvent_t begin_ = nullptr;
  cudaEvent_t end_ = nullptr;
};

}  // namespace siamese::cublas

#pragma once
// What the example programs share. They are ordinary CUDA programs: nothing here knows of the
// virtual GPU, and on a machine with a GPU they run there.

#include <cuda_runtime.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <source_location>
#include <vector>

inline void check(cudaError_t error,
                  const std::source_location& at = std::source_location::current()) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "%s:%u: %s: %s\n", at.file_name(), static_cast<unsigned>(at.line()),
               cudaGetErrorName(error), cudaGetErrorString(error));
  std::exit(1);
}

// After <<<>>>: whether the launch was accepted.
inline void check_launch(const std::source_location& at = std::source_location::current()) {
  check(cudaGetLastError(), at);
}

// Ends the program where a condition does not hold.
inline void expect(bool condition, const char* what,
                   const std::source_location& at = std::source_location::current()) {
  if (condition) return;
  std::fprintf(stderr, "%s:%u: expected %s\n", at.file_name(), static_cast<unsigned>(at.line()),
               what);
  std::exit(1);
}

// An array in device memory.
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t size) : size_(size) {
    check(cudaMalloc(reinterpret_cast<void**>(&data_), size * sizeof(T)));
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    check(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() { return data_; }
  std::size_t size() const { return size_; }
  std::vector<T> values() const {
    std::vector<T> result(size_);
    check(cudaMemcpy(result.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
    return result;
  }

 private:
  T* data_ = nullptr;
  std::size_t size_;
};

// Uniform in [-1, 1).
inline std::vector<float> random_values(std::size_t size, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> distribution(-1.0F, 1.0F);
  std::vector<float> values(size);
  for (float& value : values) value = distribution(generator);
  return values;
}

// Ends the program unless every element is within `tolerance` of what it should be. A NaN never is.
template <typename Got, typename Want>
void expect_close(const std::vector<Got>& got, const std::vector<Want>& want, double tolerance,
                  const std::source_location& at = std::source_location::current()) {
  expect(got.size() == want.size(), "as many values as the reference has", at);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(got[i]) - static_cast<double>(want[i]));
    if (difference <= tolerance) continue;
    std::fprintf(stderr, "%s:%u: element %zu is %.9g, expected %.9g within %g\n", at.file_name(),
                 static_cast<unsigned>(at.line()), i, static_cast<double>(got[i]),
                 static_cast<double>(want[i]), tolerance);
    std::exit(1);
  }
}

inline int blocks_for(int elements, int threads) { return (elements + threads - 1) / threads; }

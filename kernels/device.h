#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace siamese {

enum class Device { cpu, cuda };

std::string_view name(Device device);

/// Where work is ordered: a cudaStream_t on a CUDA device (null is its default stream); the CPU has
/// one stream, whose work is done when the call returns.
struct Stream {
  void* handle = nullptr;
};

/// What buffers need from a device. One instance per device; every function throws Failure, with
/// the device's own words, when the device refuses.
class DeviceBackend {
 public:
  virtual ~DeviceBackend() = default;

  /// Why the device cannot be used here, in one line; nothing where it can.
  virtual std::optional<std::string> why_unavailable() const = 0;

  /// Memory of at least 256-byte alignment; never null, also for 0 bytes.
  virtual void* allocate(std::int64_t bytes) = 0;
  virtual void release(void* memory) noexcept = 0;

  /// Sets every byte to 0xFF: NaN in float64, float32, bfloat16 and float16, -1 in integers.
  virtual void poison(void* memory, std::int64_t bytes) = 0;
  virtual void copy_in(void* device_to, const void* host_from, std::int64_t bytes) = 0;
  virtual void copy_out(void* host_to, const void* device_from, std::int64_t bytes) = 0;

  /// Waits until the work of `stream` is done; reports what failed in it.
  virtual void synchronize(Stream stream) = 0;

  /// What the device is, for records: "NVIDIA H100 80GB HBM3, 132 SMs, driver 13.0".
  virtual std::string description() const = 0;
};

/// The backend of a device. A build without CUDA still has one for Device::cuda: it is unavailable
/// and says why.
DeviceBackend& backend(Device device);

/// Bytes of so many elements of a size. Throws UsageError where there can be none so many.
std::int64_t buffer_bytes(std::int64_t count, std::int64_t element_size);

/// Throws UsageError where the values to copy are not as many as the buffer has.
void check_copy(std::int64_t values, std::int64_t count);

/// `count` elements on a device, born poisoned, freed with the buffer. Copies wait for the device.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  // Delegates, so that the memory is freed where poisoning throws.
  Buffer(Device device, std::int64_t count) : Buffer(Unwritten{}, device, count) { poison(); }
  Buffer(Device device, std::span<const T> values)
      : Buffer(device, static_cast<std::int64_t>(values.size())) {
    copy_in(values);
  }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    if (data_ != nullptr) backend(device_).release(data_);
  }

  T* data() const { return data_; }
  std::int64_t size() const { return count_; }
  std::int64_t bytes() const { return count_ * element_size; }

  void poison() { backend(device_).poison(data_, bytes()); }
  void copy_in(std::span<const T> values) {
    check_copy(static_cast<std::int64_t>(values.size()), count_);
    backend(device_).copy_in(data_, values.data(), bytes());
  }
  std::vector<T> copy_out() const {
    std::vector<T> values(static_cast<std::size_t>(count_));
    backend(device_).copy_out(values.data(), data_, bytes());
    return values;
  }

 private:
  struct Unwritten {};
  static constexpr auto element_size = static_cast<std::int64_t>(sizeof(T));

  Buffer(Unwritten, Device device, std::int64_t count)
      : device_(device),
        count_(count),
        data_(static_cast<T*>(backend(device).allocate(buffer_bytes(count, element_size)))) {}

  void swap(Buffer& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(count_, other.count_);
    std::swap(data_, other.data_);
  }

  Device device_ = Device::cpu;
  std::int64_t count_ = 0;
  T* data_ = nullptr;
};

}  // namespace siamese

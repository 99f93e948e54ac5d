#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <istream>
#include <new>
#include <string>
#include <thread>

#include "kernels/backends.h"
#include "model/error.h"

namespace siamese {
namespace {

constexpr std::align_val_t alignment{256};

class CpuBackend final : public DeviceBackend {
 public:
  std::optional<std::string> why_unavailable() const override { return std::nullopt; }

  void* allocate(std::int64_t bytes) override {
    void* const memory = ::operator new(static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1)),
                                        alignment, std::nothrow);
    if (memory == nullptr) {
      throw Failure(fmt::format("memory: {} bytes asked for; the machine has no more", bytes));
    }
    return memory;
  }
  void release(void* memory) noexcept override { ::operator delete(memory, alignment); }
  void poison(void* memory, std::int64_t bytes) override {
    std::memset(memory, 0xFF, static_cast<std::size_t>(bytes));
  }
  void copy_in(void* to, const void* from, std::int64_t bytes) override { copy(to, from, bytes); }
  void copy_out(void* to, const void* from, std::int64_t bytes) override { copy(to, from, bytes); }
  void synchronize(Stream) override {}
  std::string description() const override {
    std::ifstream cpuinfo("/proc/cpuinfo");
    return fmt::format("{}, {} threads", processor_name(cpuinfo),
                       std::thread::hardware_concurrency());
  }

 private:
  static void copy(void* to, const void* from, std::int64_t bytes) {
    if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
  }
};

}  // namespace

std::string processor_name(std::istream& cpuinfo) {
  std::string implementer;
  for (std::string line; std::getline(cpuinfo, line);) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    std::string value = line.substr(colon + 2);
    if (line.starts_with("model name")) return value;
    if (line.starts_with("CPU implementer")) implementer = value;
    if (line.starts_with("CPU part")) {
      return fmt::format("Arm processor, implementer {}, part {}", implementer, value);
    }
  }
  return "unknown processor";
}

DeviceBackend& cpu_backend() {
  static CpuBackend cpu;
  return cpu;
}

}  // namespace siamese

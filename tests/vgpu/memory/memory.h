#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tests/vgpu/limits.h"

namespace vgpu {

using Address = std::uint64_t;

enum class MemoryKind {
  device,       // a host access through the address faults, as on a real device
  host_pinned,  // also readable and writable by the host through the same address
  managed,      // likewise
  variable,     // a module's __device__ or __constant__ variable; freed with the module
  internal,     // the virtual GPU's own, never reported as a leak
};

struct Allocation {
  Address address = 0;
  std::uint64_t bytes = 0;
  MemoryKind kind = MemoryKind::device;
  std::string origin;  // who asked, in words for messages: "cudaMalloc" or a variable's name
  bool freed = false;
};

enum class ReleaseResult { ok, not_an_allocation, already_freed };

enum class AccessStatus { ok, out_of_bounds, freed, uninitialised };

// What the host side learns of a copy or a fill. Nothing was moved when a bound is broken; a read
// of bytes that were never written does move them, and says where the first such byte is.
struct HostAccess {
  AccessStatus status = AccessStatus::ok;
  Address where = 0;    // the first offending byte
  std::string message;  // one line: where, and the nearest allocation

  [[nodiscard]] bool ok() const { return status == AccessStatus::ok; }
};

// The device's address space.
//
// One reservation holds, from its start: a window each for shared, local and parameter addresses
// in generic form, then the allocations. An allocation starts at a multiple of 256 bytes, and red
// zones separate it from its neighbours. Addresses are not given out twice, so a stale pointer is
// found however late it is used. The bytes live in a memory file that is mapped twice: at the
// addresses that programs see, without access unless the kind is the host's too, and once more for
// the virtual GPU itself.
//
// Beside each byte stands a shadow byte: whether it may be accessed, and whether it was written.
// All functions may be called from several threads.
class Memory {
 public:
  static constexpr std::uint64_t kWindowBytes = std::uint64_t{1} << 30;
  static constexpr std::uint8_t kAddressable = 1;
  static constexpr std::uint8_t kWritten = 2;

  explicit Memory(std::uint64_t capacity = kDevice.total_memory);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // Nothing when less than `bytes` of the capacity is free. Zero bytes are allowed.
  [[nodiscard]] std::optional<Address> allocate(std::uint64_t bytes, MemoryKind kind,
                                                std::string origin);
  // The address must be the start of a live allocation.
  ReleaseResult release(Address address);

  // The live allocation that holds `address`.
  [[nodiscard]] std::optional<Allocation> query(Address address) const;
  // Live allocations that a program made (device, host_pinned, managed), by address.
  [[nodiscard]] std::vector<Allocation> live() const;
  [[nodiscard]] std::uint64_t used_bytes() const;
  [[nodiscard]] std::uint64_t capacity() const { return capacity_; }
  // Whether the address lies in the reservation, allocated or not: else it is the host's.
  [[nodiscard]] bool contains(Address address) const { return address - base_ < kReservedBytes; }

  // The host's side of copies and fills; `from` and `to` in device addresses. A copy inside the
  // device carries with each byte whether it was written.
  HostAccess read(void* to, Address from, std::uint64_t bytes) const;
  HostAccess write(Address to, const void* from, std::uint64_t bytes);
  HostAccess fill(Address to, std::uint8_t value, std::uint64_t bytes);
  HostAccess copy(Address to, Address from, std::uint64_t bytes);

  // Where an address is in words: "8 bytes past the end of allocation 0x... (64 bytes,
  // cudaMalloc)".
  [[nodiscard]] std::string describe(Address address) const;

  // ---- for the executor: raw views; offset = address - base() ----
  [[nodiscard]] Address base() const { return base_; }
  [[nodiscard]] Address shared_window() const { return base_; }
  [[nodiscard]] Address local_window() const { return base_ + kWindowBytes; }
  [[nodiscard]] Address parameter_window() const { return base_ + 2 * kWindowBytes; }
  // Offsets below this bound may be read in bytes() and shadow(); no allocation ends above it.
  [[nodiscard]] std::uint64_t end_offset() const { return kReservedBytes - kGuardBytes; }
  // No allocation so far ends above this offset.
  [[nodiscard]] std::uint64_t allocated_end() const;
  [[nodiscard]] std::byte* bytes() const { return bytes_; }
  [[nodiscard]] std::uint8_t* shadow() const { return shadow_; }

 private:
#ifdef __SANITIZE_THREAD__  // which leaves a program little address space
  static constexpr std::uint64_t kReservedBytes = std::uint64_t{1} << 37;
#else
  static constexpr std::uint64_t kReservedBytes = std::uint64_t{1} << 40;
#endif
  static constexpr std::uint64_t kGuardBytes = 4096;

  [[nodiscard]] const Allocation* nearest_below(Address address) const;
  [[nodiscard]] HostAccess check(Address address, std::uint64_t bytes) const;
  [[nodiscard]] std::string describe_locked(Address address) const;

  std::uint64_t capacity_;
  Address base_ = 0;            // the view that programs see
  std::byte* bytes_ = nullptr;  // the same bytes, always accessible
  std::uint8_t* shadow_ = nullptr;
  int file_ = -1;
  std::uint64_t next_offset_ = 0;
  std::uint64_t used_ = 0;
  std::map<Address, Allocation> allocations_;  // live and freed
  mutable std::mutex mutex_;
};

}  // namespace vgpu

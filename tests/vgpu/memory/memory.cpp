#include "tests/vgpu/memory/memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "tests/vgpu/memory/pointer.h"

namespace vgpu {
namespace {

constexpr std::uint64_t kAlignment = 256;
constexpr std::uint64_t kRedZone = 256;
constexpr std::uint64_t kPage = 4096;

std::uint64_t round_up(std::uint64_t value, std::uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Host accessible memory changes the protection of its pages, so it shares none.
bool host_accessible(MemoryKind kind) {
  return kind == MemoryKind::host_pinned || kind == MemoryKind::managed;
}

// From this size on shadow bytes are not written one by one: a program may well allocate gigabytes
// and touch little of them, and many a time a workspace for a library that leaves it alone.
constexpr std::uint64_t kLarge = std::uint64_t{1} << 20;
constexpr std::uint64_t kPiece = std::uint64_t{16} << 20;

// A file of kPiece bytes that all say "addressable, not written"; -1 when it cannot be made.
int addressable_file() {
  static const int file = [] {
    const int fd = memfd_create("vgpu shadow", MFD_CLOEXEC);
    if (fd < 0) return -1;
    const std::vector<std::uint8_t> piece(kPiece, Memory::kAddressable);
    if (write(fd, piece.data(), kPiece) == static_cast<ssize_t>(kPiece)) return fd;
    close(fd);
    return -1;
  }();
  return file;
}

// Whole pages inside of a range.
struct Pages {
  std::uint64_t first, last;

  Pages(std::uint64_t offset, std::uint64_t bytes)
      : first(round_up(offset, kPage)), last((offset + bytes) / kPage * kPage) {}
  [[nodiscard]] bool any() const { return last > first; }
};

// Sets the shadow of a range that was not yet addressable.
void mark(std::uint8_t* shadow, std::uint64_t offset, std::uint64_t bytes, std::uint8_t value) {
  if (bytes < kLarge || value != Memory::kAddressable || addressable_file() < 0) {
    std::memset(shadow + offset, value, bytes);
    return;
  }
  // Private mappings of the one piece, copied page by page where something is written.
  const Pages pages(offset, bytes);
  std::memset(shadow + offset, value, pages.first - offset);
  std::memset(shadow + pages.last, value, offset + bytes - pages.last);
  for (std::uint64_t at = pages.first; at < pages.last; at += kPiece) {
    const std::uint64_t size = std::min(kPiece, pages.last - at);
    if (mmap(shadow + at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE,
             addressable_file(), 0) == MAP_FAILED) {
      throw std::runtime_error(
          fmt::format("cannot map the device's shadow memory: {}", std::strerror(errno)));
    }
  }
}

// Makes a range unaddressable again and gives its pages back.
void unmark(std::uint8_t* shadow, std::uint64_t offset, std::uint64_t bytes) {
  const Pages pages(offset, bytes);
  if (!pages.any()) {
    std::memset(shadow + offset, 0, bytes);
    return;
  }
  std::memset(shadow + offset, 0, pages.first - offset);
  std::memset(shadow + pages.last, 0, offset + bytes - pages.last);
  const std::uint64_t size = pages.last - pages.first;
  if (bytes < kLarge) {
    madvise(shadow + pages.first, size, MADV_DONTNEED);
  } else {
    const void* fresh = mmap(shadow + pages.first, size, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    if (fresh == MAP_FAILED) std::memset(shadow + pages.first, 0, size);
  }
}

void* map_or_throw(std::uint64_t bytes, int protection, int flags, int file) {
  void* at = mmap(nullptr, bytes, protection, flags | MAP_NORESERVE, file, 0);
  if (at == MAP_FAILED) {
    throw std::runtime_error(
        fmt::format("cannot reserve {} GiB of address space for the device: {}", bytes >> 30,
                    std::strerror(errno)));
  }
  return at;
}

}  // namespace

Memory::Memory(std::uint64_t capacity) : capacity_(capacity) {
  file_ = memfd_create("vgpu memory", MFD_CLOEXEC);
  if (file_ < 0 || ftruncate(file_, static_cast<off_t>(kReservedBytes)) != 0) {
    throw std::runtime_error(
        fmt::format("cannot create the device's memory: {}", std::strerror(errno)));
  }
  base_ = reinterpret_cast<Address>(map_or_throw(kReservedBytes, PROT_NONE, MAP_SHARED, file_));
  bytes_ = static_cast<std::byte*>(
      map_or_throw(kReservedBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_));
  shadow_ = static_cast<std::uint8_t*>(
      map_or_throw(kReservedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1));
  next_offset_ = 4 * kWindowBytes;
}

Memory::~Memory() {
  munmap(shadow_, kReservedBytes);
  munmap(bytes_, kReservedBytes);
  munmap(pointer_to(base_), kReservedBytes);
  close(file_);
}

std::optional<Address> Memory::allocate(std::uint64_t bytes, MemoryKind kind, std::string origin) {
  const std::lock_guard lock(mutex_);
  if (bytes > capacity_ - used_) return std::nullopt;
  const bool host = host_accessible(kind);
  const std::uint64_t offset = round_up(next_offset_, host ? kPage : kAlignment);
  const std::uint64_t after = offset + bytes + kRedZone;
  if (after > end_offset()) return std::nullopt;
  const Address address = base_ + offset;
  if (host) {
    const std::uint64_t pages = round_up(std::max<std::uint64_t>(bytes, 1), kPage);
    if (mprotect(pointer_to(address), pages, PROT_READ | PROT_WRITE) != 0) {
      return std::nullopt;
    }
    next_offset_ = round_up(after, kPage);
  } else {
    next_offset_ = after;
  }
  // What the host writes through its own pointer is not seen, so it counts as written.
  mark(shadow_, offset, bytes, host ? kAddressable | kWritten : kAddressable);
  used_ += bytes;
  allocations_[address] = {address, bytes, kind, std::move(origin), false};
  return address;
}

ReleaseResult Memory::release(Address address) {
  const std::lock_guard lock(mutex_);
  const auto found = allocations_.find(address);
  if (found == allocations_.end()) return ReleaseResult::not_an_allocation;
  Allocation& allocation = found->second;
  if (allocation.freed) return ReleaseResult::already_freed;
  allocation.freed = true;
  used_ -= allocation.bytes;
  const std::uint64_t offset = address - base_;
  unmark(shadow_, offset, allocation.bytes);
  // Whole pages go back to the system; their addresses stay taken.
  if (const Pages pages(offset, allocation.bytes); pages.any()) {
    fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(pages.first),
              static_cast<off_t>(pages.last - pages.first));
  }
  if (host_accessible(allocation.kind)) {
    mprotect(pointer_to(address), round_up(std::max<std::uint64_t>(allocation.bytes, 1), kPage),
             PROT_NONE);
  }
  return ReleaseResult::ok;
}

const Allocation* Memory::nearest_below(Address address) const {
  auto next = allocations_.upper_bound(address);
  return next == allocations_.begin() ? nullptr : &std::prev(next)->second;
}

std::optional<Allocation> Memory::query(Address address) const {
  const std::lock_guard lock(mutex_);
  const Allocation* found = nearest_below(address);
  if (found == nullptr || found->freed ||
      address - found->address >= std::max<std::uint64_t>(found->bytes, 1)) {
    return std::nullopt;
  }
  return *found;
}

std::vector<Allocation> Memory::live() const {
  const std::lock_guard lock(mutex_);
  std::vector<Allocation> result;
  for (const auto& [address, allocation] : allocations_) {
    const bool own =
        allocation.kind == MemoryKind::internal || allocation.kind == MemoryKind::variable;
    if (!allocation.freed && !own) result.push_back(allocation);
  }
  return result;
}

std::uint64_t Memory::used_bytes() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

std::uint64_t Memory::allocated_end() const {
  const std::lock_guard lock(mutex_);
  return next_offset_;
}

std::string Memory::describe(Address address) const {
  const std::lock_guard lock(mutex_);
  return describe_locked(address);
}

std::string Memory::describe_locked(Address address) const {
  if (!contains(address)) return fmt::format("{:#x} is no device address", address);
  if (address < base_ + 3 * kWindowBytes) {
    const char* windows[] = {"shared", "local", "parameter"};
    const std::uint64_t offset = address - base_;
    return fmt::format("{:#x} is offset {} of the {} window", address, offset % kWindowBytes,
                       windows[offset / kWindowBytes]);
  }
  const Allocation* below = nearest_below(address);
  const auto next = allocations_.upper_bound(address);
  const Allocation* above = next == allocations_.end() ? nullptr : &next->second;
  const auto words = [](const Allocation& a) {
    return fmt::format("{} {:#x} ({} bytes, {})", a.freed ? "the freed allocation" : "allocation",
                       a.address, a.bytes, a.origin);
  };
  if (below != nullptr && address - below->address < below->bytes) {
    return fmt::format("{:#x} is {} bytes into {}", address, address - below->address,
                       words(*below));
  }
  const std::uint64_t past =
      below == nullptr ? ~std::uint64_t{0} : address - below->address - below->bytes;
  const std::uint64_t before = above == nullptr ? ~std::uint64_t{0} : above->address - address;
  if (below == nullptr && above == nullptr) {
    return fmt::format("{:#x}: nothing is allocated", address);
  }
  if (past <= before) {
    return fmt::format("{:#x} is {} bytes past the end of {}", address, past, words(*below));
  }
  return fmt::format("{:#x} is {} bytes before {}", address, before, words(*above));
}

HostAccess Memory::check(Address address, std::uint64_t bytes) const {
  if (bytes == 0) return {};
  const Allocation* found = contains(address) ? nearest_below(address) : nullptr;
  const std::uint64_t into = found == nullptr ? 0 : address - found->address;
  if (found != nullptr && !found->freed && into <= found->bytes && bytes <= found->bytes - into) {
    return {};
  }
  const bool inside = found != nullptr && into < found->bytes;
  const Address where = inside && !found->freed ? found->address + found->bytes : address;
  const AccessStatus status =
      inside && found->freed ? AccessStatus::freed : AccessStatus::out_of_bounds;
  return {status, where,
          fmt::format("{} bytes at {:#x}: {}", bytes, address, describe_locked(where))};
}

HostAccess Memory::read(void* to, Address from, std::uint64_t bytes) const {
  const std::lock_guard lock(mutex_);
  HostAccess access = check(from, bytes);
  if (!access.ok() || bytes == 0) return access;
  const std::uint64_t offset = from - base_;
  std::memcpy(to, bytes_ + offset, bytes);
  const std::uint8_t* first = shadow_ + offset;
  const std::uint8_t* unwritten =
      std::find_if(first, first + bytes, [](std::uint8_t s) { return (s & kWritten) == 0; });
  if (unwritten != first + bytes) {
    const Address where = from + static_cast<std::uint64_t>(unwritten - first);
    access = {AccessStatus::uninitialised, where,
              fmt::format("never written: {}", describe_locked(where))};
  }
  return access;
}

HostAccess Memory::write(Address to, const void* from, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  HostAccess access = check(to, bytes);
  if (!access.ok() || bytes == 0) return access;
  std::memcpy(bytes_ + (to - base_), from, bytes);
  std::memset(shadow_ + (to - base_), kAddressable | kWritten, bytes);
  return access;
}

HostAccess Memory::fill(Address to, std::uint8_t value, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  HostAccess access = check(to, bytes);
  if (!access.ok() || bytes == 0) return access;
  std::memset(bytes_ + (to - base_), value, bytes);
  std::memset(shadow_ + (to - base_), kAddressable | kWritten, bytes);
  return access;
}

HostAccess Memory::copy(Address to, Address from, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  HostAccess access = check(from, bytes);
  if (access.ok()) access = check(to, bytes);
  if (!access.ok() || bytes == 0) return access;
  std::memmove(bytes_ + (to - base_), bytes_ + (from - base_), bytes);
  std::memmove(shadow_ + (to - base_), shadow_ + (from - base_), bytes);
  return access;
}

}  // namespace vgpu

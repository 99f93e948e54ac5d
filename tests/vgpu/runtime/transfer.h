#pragma once
// What copies and fills have in common: their checks at the call, and their execution.

#include <driver_types.h>

#include <cstddef>
#include <limits>

#include "tests/vgpu/runtime/operation.h"

namespace vgpu {

class Runtime;

// The most bytes from the beginning of a row to that of the next one.
inline constexpr std::size_t widest_pitch = std::numeric_limits<int>::max();

Copy linear_copy(void* to, const void* from, std::size_t bytes);
Copy pitched_copy(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                  std::size_t width, std::size_t height);

// Returns the copy where its pitches hold its rows and are none too wide, both ends are memory of
// the kind that `kind` says, and lie within their allocations. Fails with the error of a copy.
Copy checked_copy(const Runtime& runtime, Copy copy, cudaMemcpyKind kind);

// The same for a fill of device memory.
Fill checked_fill(const Runtime& runtime, Fill fill);

// Whether the address is of memory that the host reaches without the runtime's knowing: a copy to
// or from there is staged.
bool is_pageable(const Runtime& runtime, const void* address);

// Executes them. Throws DeviceFault.
void transfer(Runtime& runtime, const Copy& copy);
void transfer(Runtime& runtime, const Fill& fill);

// Turns what memory says of an access into a report, and into a fault where a bound was broken.
void settle_access(Runtime& runtime, const HostAccess& access, const char* call);

}  // namespace vgpu

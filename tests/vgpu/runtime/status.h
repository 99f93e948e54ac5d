#pragma once

#include <string>
#include <string_view>

namespace vgpu {

// The file VGPU_STATUS, by which the runtime stand-in tells vgpu-run what an exit code cannot: each
// line is one of these words.
inline constexpr const char* kStatusUsed = "used";      // the program registered device code
inline constexpr const char* kStatusReport = "report";  // a check reported something

// Appends a line; does nothing where `file` is empty.
void append_status(const std::string& file, std::string_view word);

// vgpu-run's exit code where the program succeeded and a check reported something.
inline constexpr int kExitReported = 3;

}  // namespace vgpu

#pragma once

#include <stdexcept>

namespace vgpu {

// Text that is not PTX, or PTX that cannot be understood: "line 12: expected ';' before 'ret'".
class PtxError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace vgpu

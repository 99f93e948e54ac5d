#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>
#include <utility>

#include "kernels/device.h"

namespace siamese {

/// What is asked of one variant, as a parameter of a test: a name, and what fails where the answer
/// is wrong.
struct NamedCheck {
  std::string name;
  std::function<void()> run;
};

/// One that is skipped, with the reason, where the device is missing.
inline NamedCheck check_on(Device device, std::string name, std::function<void()> check) {
  return {std::move(name), [device, check = std::move(check)] {
            if (const auto reason = backend(device).why_unavailable()) GTEST_SKIP() << *reason;
            check();
          }};
}

inline void PrintTo(const NamedCheck& check, std::ostream* out) { *out << check.name; }

inline std::string name_of_check(const testing::TestParamInfo<NamedCheck>& info) {
  return info.param.name;
}

}  // namespace siamese

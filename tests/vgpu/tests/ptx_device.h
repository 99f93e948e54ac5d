#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tests/vgpu/device.h"

// Runs PTX text on the virtual GPU's core, for tests of single instructions.
namespace vgpu::testing {

// A matrix that lies row by row: its size, and where an element is.
constexpr std::size_t elements_of(int rows, int columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}
constexpr std::size_t element_at(int row, int columns, int column) {
  return elements_of(row, columns) + static_cast<std::size_t>(column);
}

// Memory, reports and counters for the launches of one test.
class PtxDevice {
 public:
  PtxDevice();

  template <class T>
  Address upload(const std::vector<T>& values) {
    return upload_bytes(std::as_bytes(std::span(values)));
  }
  // Never written, so that a check of reads finds a use of it.
  [[nodiscard]] Address allocate(std::size_t bytes);
  template <class T>
  [[nodiscard]] std::vector<T> download(Address from, std::size_t count) const {
    std::vector<T> values(count);
    download_bytes(std::as_writable_bytes(std::span(values)), from);
    return values;
  }

  struct Shape {
    Dim3 grid{1, 1, 1};
    Dim3 block{32, 1, 1};
    Dim3 cluster{0, 0, 0};
    std::uint32_t dynamic_shared_bytes = 0;
  };
  // Runs kernel "test" of a module, which takes 64-bit parameters. A module or kernel that the
  // device refuses ends in FaultKind::unsupported and the reason.
  Outcome run(const std::string& module, const Shape& shape,
              const std::vector<std::uint64_t>& parameters);
  // The same for a kernel of these statements, with parameters p0, p1, ... that are already in
  // registers %p0, %p1, ... (.b64), lane number in %lane and thread number in %thread (.b32).
  Outcome run_body(std::string_view body, const Shape& shape,
                   const std::vector<std::uint64_t>& parameters);

  [[nodiscard]] std::int64_t count(ReportKind kind) const { return reports_.count(kind); }
  [[nodiscard]] const std::vector<std::string>& messages() const { return messages_; }

  Options options;    // one host thread; memory and init checks on
  Counters counters;  // of all launches

 private:
  Address upload_bytes(std::span<const std::byte> bytes);
  void download_bytes(std::span<std::byte> to, Address from) const;

  Memory memory_;
  std::vector<std::string> messages_;
  Reports reports_;
};

[[nodiscard]] std::string module_of(std::string_view body, std::size_t parameters);
[[nodiscard]] PtxDevice::Shape threads(std::uint32_t count, std::uint32_t blocks = 1);

// ---- scalar instructions ----

// The PTX type of a register that holds a T.
template <class T>
constexpr std::string_view register_type() {
  if constexpr (std::is_same_v<T, float>) return "f32";
  if constexpr (std::is_same_v<T, double>) return "f64";
  if constexpr (sizeof(T) == 1) return "b8";
  if constexpr (sizeof(T) == 2) return "b16";
  if constexpr (sizeof(T) == 4 && !std::is_floating_point_v<T>) return "b32";
  if constexpr (sizeof(T) == 8 && !std::is_floating_point_v<T>) return "b64";
}

// Bytes of inputs and outputs of one scalar test; a thread each element.
struct ScalarOperand {
  std::string_view type;
  std::size_t size = 0;
  std::vector<std::byte> bytes;
};
std::vector<std::byte> evaluate_bytes(std::string_view statements, std::string_view result_type,
                                      std::size_t result_size,
                                      const std::vector<ScalarOperand>& inputs, std::size_t count);

// Executes statements that compute %d from %a, %b, %c, ... once for each element of the inputs,
// which have the same length. %q0 to %q3 are predicates and %t0 to %t3 32-bit registers to use.
// Fails the test when the launch does not succeed or anything is reported.
template <class To, class... From>
std::vector<To> evaluate(std::string_view statements, const std::vector<From>&... inputs) {
  const auto operand = [](const auto& values) {
    using T = typename std::decay_t<decltype(values)>::value_type;
    const auto bytes = std::as_bytes(std::span(values));
    return ScalarOperand{register_type<T>(), sizeof(T), {bytes.begin(), bytes.end()}};
  };
  const std::size_t count = std::min({inputs.size()...});
  const std::vector<std::byte> result =
      evaluate_bytes(statements, register_type<To>(), sizeof(To), {operand(inputs)...}, count);
  std::vector<To> values(count);
  std::copy(result.begin(), result.end(), std::as_writable_bytes(std::span(values)).begin());
  return values;
}

}  // namespace vgpu::testing

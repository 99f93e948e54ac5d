#include "tests/vgpu/tests/ptx_device.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <exception>
#include <memory>

namespace vgpu::testing {

PtxDevice::PtxDevice()
    : memory_(std::uint64_t{1} << 30),
      reports_(20, [this](std::string_view text) { messages_.emplace_back(text); }) {
  options.threads = 1;
  options.checks.init = true;
  options.reports = &reports_;
  options.counters = &counters;
}

Address PtxDevice::allocate(std::size_t bytes) {
  const auto address = memory_.allocate(bytes, MemoryKind::device, "test");
  EXPECT_TRUE(address.has_value());
  return address.value_or(0);
}

Address PtxDevice::upload_bytes(std::span<const std::byte> bytes) {
  const Address address = allocate(bytes.size());
  EXPECT_TRUE(memory_.write(address, bytes.data(), bytes.size()).ok());
  return address;
}

void PtxDevice::download_bytes(std::span<std::byte> to, Address from) const {
  const HostAccess access = memory_.read(to.data(), from, to.size());
  EXPECT_NE(access.status, AccessStatus::out_of_bounds) << access.message;
}

Outcome PtxDevice::run(const std::string& module, const Shape& shape,
                       const std::vector<std::uint64_t>& parameters) {
  std::unique_ptr<Module> loaded;
  try {
    loaded = Module::load(memory_, module, "test");
  } catch (const std::exception& error) {
    return {FaultKind::unsupported, error.what()};
  }
  Launch launch;
  launch.kernel = loaded->find_kernel("test");
  if (launch.kernel == nullptr) return {FaultKind::unsupported, "there is no kernel test"};
  launch.grid = shape.grid;
  launch.block = shape.block;
  launch.cluster = shape.cluster;
  launch.dynamic_shared_bytes = shape.dynamic_shared_bytes;
  launch.dynamic_shared_limit = shape.dynamic_shared_bytes;
  const auto bytes = std::as_bytes(std::span(parameters));
  launch.parameters.assign(bytes.begin(), bytes.end());
  std::string problem;
  if (check(launch, &problem) != LaunchProblem::none) return {FaultKind::unsupported, problem};
  return vgpu::run(memory_, launch, options);
}

std::string module_of(std::string_view body, std::size_t parameters) {
  std::string declared;
  std::string loads;
  for (std::size_t i = 0; i < parameters; ++i) {
    declared += fmt::format("{}.param .u64 p{}", i == 0 ? "" : ", ", i);
    loads += fmt::format("  ld.param.b64 %p{}, [p{}];\n", i, i);
  }
  return fmt::format(
      ".version 8.7\n.target sm_90a\n.address_size 64\n"
      ".visible .entry test({})\n{{\n"
      "  .reg .b64 %p<{}>;\n  .reg .b32 %lane, %thread;\n{}"
      "  mov.u32 %lane, %laneid;\n  mov.u32 %thread, %tid.x;\n{}\n  ret;\n}}\n",
      declared, parameters + 1, loads, body);
}

PtxDevice::Shape threads(std::uint32_t count, std::uint32_t blocks) {
  PtxDevice::Shape shape;
  shape.block.x = count;
  shape.grid.x = blocks;
  return shape;
}

Outcome PtxDevice::run_body(std::string_view body, const Shape& shape,
                            const std::vector<std::uint64_t>& parameters) {
  return run(module_of(body, parameters.size()), shape, parameters);
}

std::vector<std::byte> evaluate_bytes(std::string_view statements, std::string_view result_type,
                                      std::size_t result_size,
                                      const std::vector<ScalarOperand>& inputs, std::size_t count) {
  // A byte lives in a register of 16 bits.
  const auto held = [](std::string_view type) { return type == "b8" ? "b16" : type; };
  PtxDevice device;
  const Address result = device.allocate(count * result_size);
  std::vector<std::uint64_t> parameters{count, result};
  std::string body = fmt::format(
      "  .reg .{} %d;\n  .reg .pred %q<4>;\n  .reg .b32 %t<4>, %block;\n"
      "  .reg .b64 %at, %n, %i;\n"
      "  mov.u32 %block, %ctaid.x;\n  mad.lo.u32 %t0, %block, 256, %thread;\n"
      "  cvt.u64.u32 %i, %t0;\n  setp.ge.u64 %q0, %i, %p0;\n  @%q0 ret;\n",
      held(result_type));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto name = static_cast<char>('a' + i + (i >= 3 ? 1 : 0));  // %d is the result
    parameters.push_back(device.upload(inputs[i].bytes));
    body += fmt::format(
        "  .reg .{} %{};\n  mad.lo.u64 %at, %i, {}, %p{};\n  ld.global.{} %{}, [%at];\n",
        held(inputs[i].type), name, inputs[i].size, i + 2, inputs[i].type, name);
  }
  body += fmt::format("  {}\n  mad.lo.u64 %at, %i, {}, %p1;\n  st.global.{} [%at], %d;\n",
                      statements, result_size, result_type);
  PtxDevice::Shape shape;
  shape.grid.x = static_cast<std::uint32_t>((count + 255) / 256);
  shape.block.x = 256;
  const Outcome outcome = device.run_body(body, shape, parameters);
  EXPECT_TRUE(outcome.ok()) << statements << ": " << outcome.message;
  EXPECT_TRUE(device.messages().empty()) << statements << ": " << device.messages().front();
  return device.download<std::byte>(result, count * result_size);
}

}  // namespace vgpu::testing

#include "tests/vgpu/runtime/registration.h"

#include <vector_types.h>

#include <utility>

#include "tests/vgpu/fatbin/fatbin.h"
#include "tests/vgpu/memory/pointer.h"
#include "tests/vgpu/posed.h"
#include "tests/vgpu/runtime/runtime.h"
#include "tests/vgpu/runtime/status.h"

namespace vgpu {

RegisteredBinary& Registry::add_binary(const void* wrapper) {
  binaries_.push_back(std::make_unique<RegisteredBinary>());
  binaries_.back()->wrapper = wrapper;
  return *binaries_.back();
}

void Registry::add_kernel(RegisteredBinary& binary, const void* host_function, std::string name) {
  auto kernel = std::make_unique<CUkern_st>();
  kernel->binary = &binary;
  kernel->name = std::move(name);
  kernels_[host_function] = std::move(kernel);
}

void Registry::add_variable(RegisteredBinary& binary, const void* host_variable, std::string name) {
  variables_[host_variable] = {&binary, std::move(name)};
}

Module& Registry::load(Runtime& runtime, RegisteredBinary& binary) {
  if (binary.module != nullptr) return *binary.module;
  const auto architecture = static_cast<int>(posed.compute_capability);
  std::string joined;
  for (const std::string& text : ptx_of_wrapper(binary.wrapper, architecture))
    joined += text + "\n";
  binary.module = Module::load(runtime.memory, joined, "embedded PTX");
  for (const auto& [pointer, name] : binary.managed_pointers) {
    const VariableInfo* variable = binary.module->find_variable(name);
    if (variable == nullptr) fail(cudaErrorInvalidSymbol, "no variable " + name + " in the PTX");
    *pointer = pointer_to(variable->address);
  }
  return *binary.module;
}

CUkern_st& Registry::kernel(const void* function) {
  const auto found = kernels_.find(function);
  if (found != kernels_.end()) return *found->second;
  for (const auto& [host_function, kernel] : kernels_) {
    if (kernel.get() == function) return *kernel;
  }
  fail(cudaErrorInvalidDeviceFunction);
}

CUkern_st& Registry::compiled_kernel(Runtime& runtime, const void* function) {
  CUkern_st& found = kernel(function);
  if (found.kernel == nullptr) {
    found.kernel = load(runtime, *found.binary).find_kernel(found.name);
    if (found.kernel == nullptr) {
      fail(cudaErrorInvalidDeviceFunction, "no kernel " + found.name + " in the PTX");
    }
  }
  return found;
}

const VariableInfo& Registry::variable(Runtime& runtime, const void* host_variable) {
  const auto found = variables_.find(host_variable);
  require(found != variables_.end(), cudaErrorInvalidSymbol);
  const RegisteredVariable& registered = found->second;
  const VariableInfo* variable = load(runtime, *registered.binary).find_variable(registered.name);
  if (variable == nullptr) {
    fail(cudaErrorInvalidSymbol, "no variable " + registered.name + " in the PTX");
  }
  return *variable;
}

bool Registry::is_managed_variable(Address address) const {
  for (const auto& binary : binaries_) {
    if (binary->module == nullptr) continue;
    for (const auto& [pointer, name] : binary->managed_pointers) {
      const VariableInfo* variable = binary->module->find_variable(name);
      if (variable != nullptr && variable->address == address) return true;
    }
  }
  return false;
}

namespace {

RegisteredBinary& binary_of(void** handle) { return *reinterpret_cast<RegisteredBinary*>(handle); }

}  // namespace
}  // namespace vgpu

// The calls that nvcc's generated host code makes before main and at exit; their signatures are
// those of crt/host_runtime.h.
using vgpu::Runtime;

// NOLINTBEGIN(bugprone-reserved-identifier): the names are nvcc's
extern "C" void** __cudaRegisterFatBinary(void* wrapper) {
  Runtime& runtime = Runtime::get();
  const std::lock_guard lock(runtime.mutex);
  vgpu::append_status(runtime.settings.status_file, vgpu::kStatusUsed);
  return reinterpret_cast<void**>(&runtime.registry.add_binary(wrapper));
}

extern "C" void __cudaRegisterFatBinaryEnd(void**) {}

// The device code stays: calls may still come from static destructors, and work be queued.
extern "C" void __cudaUnregisterFatBinary(void**) {}

extern "C" void __cudaRegisterFunction(void** handle, const char* host_function, char*,
                                       const char* device_name, int, uint3*, uint3*, dim3*, dim3*,
                                       int*) {
  Runtime& runtime = Runtime::get();
  const std::lock_guard lock(runtime.mutex);
  runtime.registry.add_kernel(vgpu::binary_of(handle), host_function, device_name);
}

extern "C" void __cudaRegisterVar(void** handle, char* host_variable, char*,
                                  const char* device_name, int, std::size_t, int, int) {
  Runtime& runtime = Runtime::get();
  const std::lock_guard lock(runtime.mutex);
  runtime.registry.add_variable(vgpu::binary_of(handle), host_variable, device_name);
}

extern "C" void __cudaRegisterManagedVar(void** handle, void** host_pointer, char*,
                                         const char* device_name, int, std::size_t, int, int) {
  Runtime& runtime = Runtime::get();
  const std::lock_guard lock(runtime.mutex);
  vgpu::RegisteredBinary& binary = vgpu::binary_of(handle);
  binary.managed_pointers[host_pointer] = device_name;
  runtime.registry.add_variable(binary, host_pointer, device_name);
}

// Called before the host first touches a __managed__ variable.
extern "C" char __cudaInitModule(void** handle) {
  const cudaError_t error = vgpu::api_call(
      [&](Runtime& runtime) { runtime.registry.load(runtime, vgpu::binary_of(handle)); });
  return error == cudaSuccess ? 1 : 0;
}

// A handle costs nothing here: code is compiled by the first launch, which then tells what is
// wrong.
extern "C" cudaError_t __cudaGetKernel(cudaKernel_t* handle, const void* host_function) {
  return vgpu::api_call(
      [&](Runtime& runtime) { *handle = &runtime.registry.kernel(host_function); });
}
// NOLINTEND(bugprone-reserved-identifier)

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/vgpu/device.h"

struct CUkern_st;

namespace vgpu {

class Runtime;

// The device code of one fat binary. It is parsed when something in it is first needed.
struct RegisteredBinary {
  const void* wrapper = nullptr;
  std::unique_ptr<Module> module;
  std::map<void**, std::string> managed_pointers;  // host pointers to __managed__ variables
};

struct RegisteredVariable {
  RegisteredBinary* binary = nullptr;
  std::string name;  // mangled
};

// What host code registers before main: fat binaries, and the kernels and variables in them by the
// address of their host-side shadow.
class Registry {
 public:
  RegisteredBinary& add_binary(const void* wrapper);
  void add_kernel(RegisteredBinary& binary, const void* host_function, std::string name);
  void add_variable(RegisteredBinary& binary, const void* host_variable, std::string name);

  // A kernel by its host function or by its handle, as launches and attribute calls take both.
  // Fails with cudaErrorInvalidDeviceFunction.
  CUkern_st& kernel(const void* function);
  // The same, its PTX compiled.
  CUkern_st& compiled_kernel(Runtime& runtime, const void* function);
  // The variable whose host shadow starts here; fails with cudaErrorInvalidSymbol.
  const VariableInfo& variable(Runtime& runtime, const void* host_variable);
  // Whether a __managed__ variable starts here: memory that nobody has to free, or may.
  bool is_managed_variable(Address address) const;
  // Parses a binary's PTX, unless done before, and sets its managed pointers.
  Module& load(Runtime& runtime, RegisteredBinary& binary);

 private:
  std::vector<std::unique_ptr<RegisteredBinary>> binaries_;
  std::map<const void*, std::unique_ptr<CUkern_st>> kernels_;  // by host function
  std::map<const void*, RegisteredVariable> variables_;
};

}  // namespace vgpu

// What a cudaKernel_t or cudaFunction_t points to.
struct CUkern_st {
  vgpu::RegisteredBinary* binary = nullptr;
  std::string name;                      // mangled
  const vgpu::Kernel* kernel = nullptr;  // once compiled
  // Attributes that the program set.
  std::uint32_t dynamic_shared_limit = 0;
  bool non_portable_cluster = false;
};

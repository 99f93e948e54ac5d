#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/vgpu/memory/memory.h"
#include "tests/vgpu/ptx/error.h"

namespace vgpu {

struct Dim3 {
  std::uint32_t x = 1, y = 1, z = 1;

  [[nodiscard]] std::uint64_t count() const { return std::uint64_t{x} * y * z; }
};

struct Parameter {
  std::uint32_t offset = 0;
  std::uint32_t bytes = 0;
  std::uint32_t alignment = 1;
};

struct KernelInfo {
  std::string name;  // mangled
  std::vector<Parameter> parameters;
  std::uint32_t parameter_bytes = 0;
  std::uint32_t static_shared_bytes = 0;
  std::uint32_t local_bytes = 0;    // a thread's as laid out here, without what it calls
  std::uint32_t max_threads = 0;    // product of .maxntid or .reqntid; 0 where not given
  std::uint32_t max_registers = 0;  // .maxnreg; 0 where not given
  std::uint32_t min_blocks = 0;     // .minnctapersm; 0 where not given
  Dim3 required_block{0, 0, 0};     // .reqntid; zeros where not given
  Dim3 required_cluster{0, 0, 0};   // .reqnctapercluster; zeros where not given
  std::uint32_t max_cluster = 0;    // .maxclusterrank: blocks; 0 where not given
  bool explicit_cluster = false;    // .explicitcluster: may only be launched as a cluster
  // Instructions and calls that the virtual GPU does not execute, each with its source place. A
  // launch of a kernel that has any is refused.
  std::vector<std::string> unsupported;
};

struct VariableInfo {
  std::string name;  // mangled
  Address address = 0;
  std::uint64_t bytes = 0;
  bool constant = false;
  bool managed = false;
  bool initialised = false;  // by the program; otherwise zeros, as C++ says
};

struct Kernel;  // compiled form, exec/program.h

// PTX that was parsed, its variables allocated and initialised in device memory. The variables are
// freed with the module, so the memory must outlive it.
class Module {
 public:
  // `origin` names the text in messages. Throws PtxError.
  static std::unique_ptr<Module> load(Memory& memory, std::string_view ptx, std::string origin);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // By mangled name; null where there is none. The first search for a kernel compiles it.
  [[nodiscard]] const Kernel* find_kernel(std::string_view name);
  [[nodiscard]] const VariableInfo* find_variable(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> kernel_names() const;

 private:
  struct Contents;
  explicit Module(std::unique_ptr<Contents> contents);
  std::unique_ptr<Contents> contents_;
};

[[nodiscard]] const KernelInfo& info(const Kernel& kernel);

}  // namespace vgpu

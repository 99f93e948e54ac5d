#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/program.h"

namespace vgpu {

// Turns a kernel and all functions that it may call into the executed form.
class KernelCompiler {
 public:
  // `variables` gives the device addresses of the module's global and constant variables.
  KernelCompiler(std::shared_ptr<const ptx::Module> source,
                 const std::map<std::string, Address, std::less<>>& variables);

  std::unique_ptr<Kernel> compile(std::size_t function_index);

  // ---- for builders ----
  // Address of a module-scope variable in its space, or of a function.
  std::optional<std::uint64_t> global_address(std::string_view name, ptx::Space* space);
  // Address of a function-scope variable in its space.
  std::uint64_t local_address(const ptx::Function& function, std::size_t variable,
                              ptx::Space* space);
  // Where a parameter's bytes are in the frame; null for the kernel's own parameters.
  [[nodiscard]] const ParameterArea* area(std::size_t variable) const;
  // Takes note of an access to elements of so many bytes, of global or shared memory.
  void note_access(std::uint32_t bytes);
  [[nodiscard]] std::uint32_t parameter_bytes() const { return kernel_->info.parameter_bytes; }
  // The executed form of a function, compiled or still to be; null when only declared or unknown.
  [[nodiscard]] const Function* callee(std::string_view name) const;
  [[nodiscard]] const ptx::Function* find_function(std::string_view name) const;

 private:
  [[nodiscard]] std::optional<std::size_t> function_index(std::string_view name) const;
  void gather(std::size_t function_index);
  void gather(const ptx::Operand& operand);
  void lay_out_shared();
  void lay_out_parameters(const ptx::Function& entry);
  void compile_function(std::size_t index);
  void lay_out_locals(const ptx::Function& source, Function& target);
  [[nodiscard]] Instruction refused(const ptx::Function& function, const ptx::Instruction& source,
                                    const std::string& reason);

  std::shared_ptr<const ptx::Module> source_;
  const std::map<std::string, Address, std::less<>>& variables_;
  std::map<std::string, std::size_t, std::less<>> functions_;
  std::unique_ptr<Kernel> kernel_;
  std::vector<std::size_t> reached_;
  std::vector<bool> is_reached_;
  std::vector<std::string> reached_shared_;  // module-scope
  std::map<std::string, std::uint32_t, std::less<>>
      shared_;                                // offsets; "function/variable" inside functions
  std::vector<std::uint32_t> local_offsets_;  // by variable, of the function that is compiled
  std::vector<std::optional<ParameterArea>> areas_;
};

}  // namespace vgpu

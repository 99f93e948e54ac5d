#include "tests/vgpu/exec/module.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "tests/vgpu/exec/compiler.h"
#include "tests/vgpu/exec/program.h"
#include "tests/vgpu/ptx/parser.h"

namespace vgpu {

struct Module::Contents {
  Memory* memory = nullptr;
  std::string origin;
  std::shared_ptr<const ptx::Module> source;
  std::vector<VariableInfo> variables;
  std::map<std::string, Address, std::less<>> addresses;
  std::map<std::string, std::unique_ptr<Kernel>, std::less<>> kernels;
  std::mutex mutex;

  void allocate_variables();
  void initialise(const ptx::Variable& variable, Address address);
};

void Module::Contents::allocate_variables() {
  for (const ptx::Variable& v : source->variables) {
    if (v.space != ptx::Space::global && v.space != ptx::Space::constant) continue;
    if (v.external || addresses.count(v.name) != 0) continue;
    const auto kind = v.managed ? MemoryKind::managed : MemoryKind::variable;
    const auto address = memory->allocate(v.bytes, kind, "variable " + v.name);
    if (!address) throw PtxError(fmt::format("no memory for variable {}", v.name));
    addresses[v.name] = *address;
    variables.push_back(
        {v.name, *address, v.bytes, v.space == ptx::Space::constant, v.managed, v.has_initial});
  }
  for (const ptx::Variable& v : source->variables) {
    if (v.space != ptx::Space::global && v.space != ptx::Space::constant) continue;
    const auto found = addresses.find(v.name);
    if (found == addresses.end()) {
      throw PtxError(fmt::format("{} is declared but not defined", v.name));
    }
    if (!v.external) initialise(v, found->second);
  }
}

void Module::Contents::initialise(const ptx::Variable& v, Address address) {
  memory->fill(address, 0, v.bytes);
  std::vector<std::byte> bytes = v.initial;
  for (const ptx::Relocation& r : v.relocations) {
    std::uint64_t target = 0;
    if (const auto known = addresses.find(r.symbol); known != addresses.end()) {
      target = known->second;
    } else {
      const auto& functions = source->functions;
      const auto f = std::find_if(functions.begin(), functions.end(),
                                  [&](const ptx::Function& x) { return x.name == r.symbol; });
      if (f == functions.end()) {
        throw PtxError(
            fmt::format("{} is initialised with {}, which is not known", v.name, r.symbol));
      }
      target = kFunctionAddress + static_cast<std::uint64_t>(f - functions.begin());
    }
    target = (target + static_cast<std::uint64_t>(r.addend)) & r.mask;
    if (r.mask != ~std::uint64_t{0} && r.mask != 0) {
      target >>= static_cast<unsigned>(__builtin_ctzll(r.mask)) / 8 * 8;
    }
    if (r.bytes > sizeof target)
      throw PtxError(fmt::format("{} has an address of {} bytes", v.name, r.bytes));
    std::memcpy(bytes.data() + r.offset, &target, r.bytes);
  }
  bytes.resize(std::min<std::uint64_t>(bytes.size(), v.bytes));
  memory->write(address, bytes.data(), bytes.size());
}

std::unique_ptr<Module> Module::load(Memory& memory, std::string_view ptx, std::string origin) {
  auto contents = std::make_unique<Contents>();
  contents->memory = &memory;
  contents->origin = std::move(origin);
  contents->source = std::make_shared<const ptx::Module>(ptx::parse(ptx));
  std::unique_ptr<Module> module(new Module(std::move(contents)));
  module->contents_->allocate_variables();
  return module;
}

Module::Module(std::unique_ptr<Contents> contents) : contents_(std::move(contents)) {}

Module::~Module() {
  for (const VariableInfo& v : contents_->variables) contents_->memory->release(v.address);
}

const Kernel* Module::find_kernel(std::string_view name) {
  const std::lock_guard lock(contents_->mutex);
  if (const auto known = contents_->kernels.find(name); known != contents_->kernels.end()) {
    return known->second.get();
  }
  const auto& functions = contents_->source->functions;
  const auto found = std::find_if(functions.begin(), functions.end(), [&](const ptx::Function& f) {
    return f.kernel && f.defined && f.name == name;
  });
  if (found == functions.end()) return nullptr;
  KernelCompiler compiler(contents_->source, contents_->addresses);
  auto kernel = compiler.compile(static_cast<std::size_t>(found - functions.begin()));
  return (contents_->kernels[std::string(name)] = std::move(kernel)).get();
}

const VariableInfo* Module::find_variable(std::string_view name) const {
  const auto& variables = contents_->variables;
  const auto found = std::find_if(variables.begin(), variables.end(),
                                  [&](const VariableInfo& v) { return v.name == name; });
  return found == variables.end() ? nullptr : &*found;
}

std::vector<std::string> Module::kernel_names() const {
  std::vector<std::string> names;
  for (const ptx::Function& f : contents_->source->functions) {
    if (f.kernel && f.defined) names.push_back(f.name);
  }
  return names;
}

const KernelInfo& info(const Kernel& kernel) { return kernel.info; }

}  // namespace vgpu

#include "tests/vgpu/exec/compiler.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/vgpu/exec/warp.h"

namespace vgpu {
namespace {

constexpr std::uint32_t kBankRow = 128;  // bytes of one pass over the 32 banks
constexpr std::uint32_t kLocalRedZone = 64;

std::uint64_t round_up(std::uint64_t value, std::uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

std::string qualified(const ptx::Function& function, const ptx::Variable& variable) {
  return function.name + "/" + variable.name;
}

// A launch of a kernel with such an instruction is refused, so this is never reached by one.
void run_refused(Warp&, const Instruction&, LaneMask) {
  throw Fault{FaultKind::unsupported, "an instruction that is not executed was reached"};
}

}  // namespace

KernelCompiler::KernelCompiler(std::shared_ptr<const ptx::Module> source,
                               const std::map<std::string, Address, std::less<>>& variables)
    : source_(std::move(source)), variables_(variables) {
  for (std::size_t i = 0; i < source_->functions.size(); ++i) {
    functions_.emplace(source_->functions[i].name, i);
  }
}

std::optional<std::size_t> KernelCompiler::function_index(std::string_view name) const {
  const auto found = functions_.find(name);
  if (found == functions_.end()) return std::nullopt;
  return found->second;
}

const ptx::Function* KernelCompiler::find_function(std::string_view name) const {
  const auto index = function_index(name);
  return index ? &source_->functions[*index] : nullptr;
}

const Function* KernelCompiler::callee(std::string_view name) const {
  const auto index = function_index(name);
  return index ? kernel_->functions[*index].get() : nullptr;
}

void KernelCompiler::note_access(std::uint32_t bytes) {
  kernel_->narrowest_access = std::min(kernel_->narrowest_access, bytes);
}

// ---- what the kernel reaches ----

void KernelCompiler::gather(std::size_t index) {
  if (is_reached_[index] || !source_->functions[index].defined) return;
  is_reached_[index] = true;
  reached_.push_back(index);
}

void KernelCompiler::gather(const ptx::Operand& operand) {
  if (operand.kind == ptx::Operand::Kind::name) {
    if (const auto index = function_index(operand.name)) gather(*index);
    if (std::find(reached_shared_.begin(), reached_shared_.end(), operand.name) ==
        reached_shared_.end()) {
      const auto shared = std::find_if(
          source_->variables.begin(), source_->variables.end(), [&](const ptx::Variable& v) {
            return v.space == ptx::Space::shared && v.name == operand.name;
          });
      if (shared != source_->variables.end()) reached_shared_.push_back(operand.name);
    }
  }
  for (const ptx::Operand& element : operand.elements) gather(element);
}

// Static variables keep the banks that they would have side by side, with a red zone after each.
void KernelCompiler::lay_out_shared() {
  struct Item {
    std::string key;
    const ptx::Variable* variable;
  };
  std::vector<Item> items;
  std::vector<Item> dynamic;
  const auto add = [&](std::string key, const ptx::Variable& v) {
    (v.external || v.bytes == 0 ? dynamic : items).push_back({std::move(key), &v});
  };
  for (const ptx::Variable& v : source_->variables) {
    if (std::find(reached_shared_.begin(), reached_shared_.end(), v.name) !=
            reached_shared_.end() &&
        v.space == ptx::Space::shared) {
      add(v.name, v);
    }
  }
  for (const std::size_t f : reached_) {
    for (const ptx::Variable& v : source_->functions[f].variables) {
      if (v.space == ptx::Space::shared) add(qualified(source_->functions[f], v), v);
    }
  }
  std::uint32_t zone = kBankRow;
  for (const auto* list : {&items, &dynamic}) {
    for (const Item& item : *list) zone = std::max(zone, item.variable->alignment);
  }
  std::uint64_t natural = 0;
  std::uint64_t shift = round_up(kFirstSharedOffset, zone);
  for (const Item& item : items) {
    natural = round_up(natural, item.variable->alignment);
    const std::uint64_t offset = natural + shift;
    natural += item.variable->bytes;
    shift += zone;
    if (natural > kDevice.shared_per_block_opt_in) {
      throw Unsupported{fmt::format("static shared memory of {} bytes", natural)};
    }
    shared_[item.key] = static_cast<std::uint32_t>(offset);
    kernel_->shared.push_back({static_cast<std::uint32_t>(offset),
                               static_cast<std::uint32_t>(item.variable->bytes),
                               item.variable->name});
  }
  kernel_->info.static_shared_bytes = static_cast<std::uint32_t>(natural);
  std::uint32_t alignment = 16;
  for (const Item& item : dynamic) alignment = std::max(alignment, item.variable->alignment);
  kernel_->dynamic_shared_offset = static_cast<std::uint32_t>(round_up(natural, alignment) + shift);
  for (const Item& item : dynamic) shared_[item.key] = kernel_->dynamic_shared_offset;
}

void KernelCompiler::lay_out_parameters(const ptx::Function& entry) {
  std::uint64_t offset = 0;
  for (const std::int32_t index : entry.parameters) {
    const ptx::Variable& v = entry.variables[static_cast<std::size_t>(index)];
    offset = round_up(offset, v.alignment);
    if (offset + v.bytes > kDevice.parameter_bytes) {
      throw Unsupported{fmt::format("parameters above {} bytes", kDevice.parameter_bytes)};
    }
    kernel_->info.parameters.push_back(
        {static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(v.bytes), v.alignment});
    offset += v.bytes;
  }
  kernel_->info.parameter_bytes = static_cast<std::uint32_t>(offset);
}

// ---- addresses ----

std::optional<std::uint64_t> KernelCompiler::global_address(std::string_view name,
                                                            ptx::Space* space) {
  const auto give = [&](ptx::Space s, std::uint64_t address) {
    if (space != nullptr) *space = s;
    return address;
  };
  if (const auto v = variables_.find(name); v != variables_.end()) {
    return give(ptx::Space::global, v->second);
  }
  if (const auto s = shared_.find(name); s != shared_.end()) {
    return give(ptx::Space::shared, s->second);
  }
  if (const auto f = function_index(name); f && source_->functions[*f].defined) {
    return give(ptx::Space::none, kFunctionAddress + *f);
  }
  return std::nullopt;
}

std::uint64_t KernelCompiler::local_address(const ptx::Function& function, std::size_t variable,
                                            ptx::Space* space) {
  const ptx::Variable& v = function.variables[variable];
  if (space != nullptr) *space = v.space;
  switch (v.space) {
    case ptx::Space::shared:
      return shared_.find(qualified(function, v))->second;
    case ptx::Space::local:
      return local_offsets_[variable];
    case ptx::Space::param: {
      const auto& parameters = function.parameters;
      const auto found =
          std::find(parameters.begin(), parameters.end(), static_cast<std::int32_t>(variable));
      if (!function.kernel || found == parameters.end()) {
        throw Unsupported{fmt::format("the address of parameter {}", v.name)};
      }
      return kernel_->info.parameters[static_cast<std::size_t>(found - parameters.begin())].offset;
    }
    default:
      throw Unsupported{fmt::format("the address of {}", v.name)};
  }
}

const ParameterArea* KernelCompiler::area(std::size_t variable) const {
  return areas_[variable] ? &*areas_[variable] : nullptr;
}

void KernelCompiler::lay_out_locals(const ptx::Function& source, Function& target) {
  local_offsets_.assign(source.variables.size(), 0);
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < source.variables.size(); ++i) {
    const ptx::Variable& v = source.variables[i];
    if (v.space != ptx::Space::local) continue;
    offset = round_up(offset, std::max<std::uint32_t>(v.alignment, 16));
    if (offset + v.bytes > (512 << 10)) throw Unsupported{"local memory above 512 KiB"};
    local_offsets_[i] = static_cast<std::uint32_t>(offset);
    target.locals.push_back(
        {static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(v.bytes), v.name});
    offset += v.bytes + kLocalRedZone;
  }
  target.local_bytes = static_cast<std::uint32_t>(round_up(offset, 64));
}

// ---- compilation ----

std::unique_ptr<Kernel> KernelCompiler::compile(std::size_t index) {
  const ptx::Function& entry = source_->functions[index];
  kernel_ = std::make_unique<Kernel>();
  kernel_->source = source_;
  KernelInfo& info = kernel_->info;
  info.name = entry.name;
  const auto dim = [](const std::uint32_t(&d)[3]) { return Dim3{d[0], d[1], d[2]}; };
  info.required_block = dim(entry.required_threads);
  info.required_cluster = dim(entry.required_cluster);
  info.max_threads = static_cast<std::uint32_t>(std::min<std::uint64_t>(
      1u << 30, std::max(dim(entry.max_threads).count(), info.required_block.count())));
  info.max_registers = entry.max_registers;
  info.min_blocks = entry.min_blocks;
  info.max_cluster = entry.max_cluster;
  info.explicit_cluster = entry.explicit_cluster;
  if (entry.blocks_are_clusters) {
    info.unsupported.push_back(".blocksareclusters: a grid that is given in clusters");
  }
  for (const ptx::Function& f : source_->functions) {
    kernel_->functions.push_back(std::make_unique<Function>());
    kernel_->functions.back()->name = f.name;
  }
  kernel_->entry = kernel_->functions[index].get();

  is_reached_.assign(source_->functions.size(), false);
  gather(index);
  // Functions in tables may be called through them.
  for (const ptx::Variable& v : source_->variables) {
    for (const ptx::Relocation& r : v.relocations) {
      if (const auto f = function_index(r.symbol)) gather(*f);
    }
  }
  for (std::size_t i = 0; i < reached_.size(); ++i) {
    for (const ptx::Instruction& ins : source_->functions[reached_[i]].instructions) {
      for (const ptx::Operand& operand : ins.operands) gather(operand);
    }
  }
  try {
    lay_out_parameters(entry);
    lay_out_shared();
    for (const std::size_t f : reached_) compile_function(f);
  } catch (const Unsupported& u) {
    info.unsupported.push_back(u.reason);
  }
  info.local_bytes = kernel_->entry->local_bytes;
  return std::move(kernel_);
}

Instruction KernelCompiler::refused(const ptx::Function& function, const ptx::Instruction& source,
                                    const std::string& reason) {
  kernel_->info.unsupported.push_back(
      fmt::format("{}{}{} in {} at {} (PTX line {})", source.spelling(), reason.empty() ? "" : ": ",
                  reason, function.name, kernel_->place(source.location), source.line));
  Instruction out;
  out.handler = run_refused;
  return out;
}

void KernelCompiler::compile_function(std::size_t index) {
  const ptx::Function& source = source_->functions[index];
  Function& target = *kernel_->functions[index];
  FrameLayout layout(source);
  lay_out_locals(source, target);
  areas_.assign(source.variables.size(), std::nullopt);
  for (std::size_t i = 0; i < source.variables.size(); ++i) {
    const ptx::Variable& v = source.variables[i];
    const bool kernel_parameter =
        source.kernel && std::find(source.parameters.begin(), source.parameters.end(),
                                   static_cast<std::int32_t>(i)) != source.parameters.end();
    const bool parameter = v.space == ptx::Space::param && !kernel_parameter;
    if (parameter) areas_[i] = layout.area(v.bytes);
    if (v.space == ptx::Space::reg)
      throw Unsupported{source.name + " takes a parameter in a register"};
  }
  if (!source.kernel) {
    for (const std::int32_t p : source.parameters)
      target.parameters.push_back(*areas_[static_cast<std::size_t>(p)]);
    for (const std::int32_t r : source.returns)
      target.returns.push_back(*areas_[static_cast<std::size_t>(r)]);
  }
  for (const ptx::Instruction& ins : source.instructions) {
    Builder builder(*this, source, ins, layout, target);
    std::string reason;
    try {
      const OpcodeTable::Entry* entry = opcode_table().find(ins.opcode);
      if (entry == nullptr) throw Unsupported{};
      builder.info.kind = entry->kind;
      entry->build(builder);
      if (!builder.leftover().empty()) throw Unsupported{builder.leftover()};
      if (builder.out.handler == nullptr) throw Unsupported{"no such types"};
    } catch (const Unsupported& u) {
      builder.out = refused(source, ins, u.reason);
    }
    target.code.push_back(builder.out);
    target.info.push_back(builder.info);
  }
  // Code that runs past the end returns.
  ptx::Instruction end;
  end.opcode = "ret";
  end.location = source.instructions.empty() ? -1 : source.instructions.back().location;
  Builder builder(*this, source, end, layout, target);
  opcode_table().find("ret")->build(builder);
  target.code.push_back(builder.out);
  target.info.push_back(builder.info);
  layout.finish(target);
  target.first_counter = kernel_->instructions;
  kernel_->instructions += static_cast<std::uint32_t>(target.code.size());
  target.compiled = true;
}

std::string Kernel::place(std::int32_t location) const {
  if (location < 0) return "an unknown line (compile with -lineinfo)";
  std::string text;
  for (int depth = 0; location >= 0 && depth < 16; ++depth) {
    const ptx::Location& l = source->locations[static_cast<std::size_t>(location)];
    const auto file = static_cast<std::size_t>(l.file);
    const std::string path = file < source->files.size() ? source->files[file] : "?";
    text += fmt::format("{}{}:{}", depth == 0 ? "" : ", inlined at ", path, l.line);
    location = l.inlined_at;
  }
  return text;
}

}  // namespace vgpu

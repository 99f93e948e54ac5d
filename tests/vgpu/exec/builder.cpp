#include "tests/vgpu/exec/builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <stdexcept>

#include "tests/vgpu/exec/compiler.h"
#include "tests/vgpu/exec/registers.h"

namespace vgpu {
namespace {

struct SpecialName {
  std::string_view name;
  Special special;
};

constexpr SpecialName kSpecials[] = {
    {"%tid.x", Special::tid_x},
    {"%tid.y", Special::tid_y},
    {"%tid.z", Special::tid_z},
    {"%ntid.x", Special::ntid_x},
    {"%ntid.y", Special::ntid_y},
    {"%ntid.z", Special::ntid_z},
    {"%ctaid.x", Special::ctaid_x},
    {"%ctaid.y", Special::ctaid_y},
    {"%ctaid.z", Special::ctaid_z},
    {"%nctaid.x", Special::nctaid_x},
    {"%nctaid.y", Special::nctaid_y},
    {"%nctaid.z", Special::nctaid_z},
    {"%laneid", Special::laneid},
    {"%warpid", Special::warpid},
    {"%nwarpid", Special::nwarpid},
    {"%smid", Special::smid},
    {"%nsmid", Special::nsmid},
    {"%gridid", Special::gridid},
    {"%lanemask_eq", Special::lanemask_eq},
    {"%lanemask_le", Special::lanemask_le},
    {"%lanemask_lt", Special::lanemask_lt},
    {"%lanemask_ge", Special::lanemask_ge},
    {"%lanemask_gt", Special::lanemask_gt},
    {"%clusterid.x", Special::clusterid_x},
    {"%clusterid.y", Special::clusterid_y},
    {"%clusterid.z", Special::clusterid_z},
    {"%nclusterid.x", Special::nclusterid_x},
    {"%nclusterid.y", Special::nclusterid_y},
    {"%nclusterid.z", Special::nclusterid_z},
    {"%cluster_ctaid.x", Special::cluster_ctaid_x},
    {"%cluster_ctaid.y", Special::cluster_ctaid_y},
    {"%cluster_ctaid.z", Special::cluster_ctaid_z},
    {"%cluster_nctaid.x", Special::cluster_nctaid_x},
    {"%cluster_nctaid.y", Special::cluster_nctaid_y},
    {"%cluster_nctaid.z", Special::cluster_nctaid_z},
    {"%cluster_ctarank", Special::cluster_ctarank},
    {"%cluster_nctarank", Special::cluster_nctarank},
    {"%is_explicit_cluster", Special::is_explicit_cluster},
    {"%dynamic_smem_size", Special::dynamic_smem_size},
    {"%total_smem_size", Special::total_smem_size},
    {"%aggr_smem_size", Special::aggr_smem_size},
    {"%envreg1", Special::envreg1},
    {"%envreg2", Special::envreg2},
};

std::optional<Special> special_of(std::string_view name) {
  for (const SpecialName& s : kSpecials) {
    if (s.name == name) return s.special;
  }
  return std::nullopt;
}

// Registers start as this pattern: a NaN in every format, and an unlikely address.
constexpr int kPoison = 0xff;

}  // namespace

// ---- FrameLayout ----

FrameLayout::FrameLayout(const ptx::Function& source) {
  // Masks first: the one that is always true, for instructions without a guard, and the carries.
  frame_.assign(2 * sizeof(LaneMask), std::byte{0});
  std::memset(frame_.data(), 0xff, sizeof(LaneMask));
  registers_.resize(source.registers.size());
  for (std::size_t i = 0; i < registers_.size(); ++i) {
    if (source.registers[i].type == ptx::Type::pred) {
      registers_[i] = add(sizeof(LaneMask), sizeof(LaneMask));
      std::memset(frame_.data() + registers_[i], 0, sizeof(LaneMask));
    }
  }
  const std::vector<std::int32_t> rows = shared_rows(source);
  const auto has_own = [&](std::size_t i) { return rows[i] == static_cast<std::int32_t>(i); };
  for (std::size_t i = 0; i < registers_.size(); ++i) {
    const ptx::Type type = source.registers[i].type;
    if (type != ptx::Type::pred && has_own(i)) {
      registers_[i] = add(std::max(2u, bytes(type)) * kLanes, 64);
    }
  }
  for (std::size_t i = 0; i < registers_.size(); ++i) {
    if (!has_own(i)) registers_[i] = register_offset(rows[i]);
  }
  register_bytes_ = static_cast<std::uint32_t>(frame_.size());
}

std::uint32_t FrameLayout::add(std::uint32_t bytes, std::uint32_t alignment) {
  const std::size_t offset = (frame_.size() + alignment - 1) / alignment * alignment;
  if (offset + bytes > (std::size_t{1} << 30))
    throw Unsupported{"a function with a frame of 1 GiB"};
  frame_.resize(offset + bytes, std::byte{kPoison});
  return static_cast<std::uint32_t>(offset);
}

std::uint32_t FrameLayout::constant(std::uint64_t bits, std::uint32_t bytes) {
  if (bytes < 8) bits &= (std::uint64_t{1} << (8 * bytes)) - 1;
  const auto key = std::make_pair(bits, bytes);
  for (const auto& [known, offset] : constants_) {
    if (known == key) return offset;
  }
  const std::uint32_t offset = add(bytes * kLanes, 64);
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    std::memcpy(frame_.data() + offset + std::size_t{lane} * bytes, &bits, bytes);
  }
  constants_.emplace_back(key, offset);
  return offset;
}

std::uint32_t FrameLayout::predicate_constant(bool value) {
  if (value) return 0;
  const std::uint32_t offset = add(sizeof(LaneMask), sizeof(LaneMask));
  std::memset(frame_.data() + offset, 0, sizeof(LaneMask));
  return offset;
}

std::uint32_t FrameLayout::special(Special special, std::uint32_t bytes, std::uint32_t addend) {
  for (const SpecialRow& s : specials_) {
    if (s.special == special && s.bytes == bytes && s.addend == addend) return s.offset;
  }
  const std::uint32_t offset = add(bytes * kLanes, 64);
  specials_.push_back({special, offset, bytes, addend});
  return offset;
}

std::uint32_t FrameLayout::scratch(std::uint32_t bytes) {
  constexpr std::uint32_t kMost = 16;
  if (bytes > kMost) throw Unsupported{"a result of this size that is not kept"};
  if (scratch_ == 0) scratch_ = add(kMost * kLanes, 64);
  return scratch_;
}

ParameterArea FrameLayout::area(std::uint64_t bytes) {
  if (bytes > (1 << 20)) throw Unsupported{"a call parameter above 1 MiB"};
  const auto stride = static_cast<std::uint32_t>((bytes + 15) / 16 * 16);
  return {add(stride * kLanes, 64), stride};
}

void FrameLayout::finish(Function& function) {
  add(0, 64);
  function.frame = std::move(frame_);
  function.register_bytes = register_bytes_;
  function.specials = std::move(specials_);
}

// ---- Builder ----

Builder::Builder(KernelCompiler& c, const ptx::Function& f, const ptx::Instruction& source,
                 FrameLayout& l, Function& target)
    : compiler(c), layout(l), function(f), source_(source), target_(target) {
  modifiers_.assign(source.modifiers.begin(), source.modifiers.end());
  info.location = source.location;
  info.ptx_line = source.line;
  info.spelling = source.spelling();
  if (source.guard >= 0) {
    out.guard = layout.register_offset(source.guard);
    out.guard_flip = source.guard_negated ? kAllLanes : 0;
  }
}

bool Builder::has(std::string_view word) const {
  return std::find(modifiers_.begin(), modifiers_.end(), word) != modifiers_.end();
}

bool Builder::take(std::string_view word) {
  const auto found = std::find(modifiers_.begin(), modifiers_.end(), word);
  if (found == modifiers_.end()) return false;
  modifiers_.erase(found);
  return true;
}

int Builder::take_any(std::initializer_list<std::string_view> words) {
  int index = 0;
  for (const std::string_view word : words) {
    if (take(word)) return index;
    ++index;
  }
  return -1;
}

ptx::Type Builder::take_type() {
  for (auto m = modifiers_.begin(); m != modifiers_.end(); ++m) {
    const ptx::Type type = ptx::type_of(*m);
    if (type != ptx::Type::none) {
      modifiers_.erase(m);
      return type;
    }
  }
  unsupported("no type");
}

std::string_view Builder::take_next() {
  if (modifiers_.empty()) return {};
  const std::string_view first = modifiers_.front();
  modifiers_.erase(modifiers_.begin());
  return first;
}

std::string Builder::leftover() const {
  std::string text;
  for (const std::string_view m : modifiers_) text += fmt::format(".{}", m);
  return text;
}

const ptx::Operand& Builder::operand(std::size_t index) const {
  if (index >= source_.operands.size()) unsupported("too few operands");
  return source_.operands[index];
}

void Builder::expect_operands(std::size_t count) const {
  if (source_.operands.size() != count) unsupported("another number of operands");
}

void Builder::unsupported(std::string reason) const { throw Unsupported{std::move(reason)}; }

bool Builder::is_predicate(const ptx::Operand& o) const {
  return o.kind == ptx::Operand::Kind::reg &&
         function.registers[static_cast<std::size_t>(o.index)].type == ptx::Type::pred;
}

std::uint32_t Builder::register_bytes(const ptx::Operand& o, std::uint32_t otherwise) const {
  if (o.kind != ptx::Operand::Kind::reg || is_predicate(o)) return otherwise;
  return std::max(2u, bytes(function.registers[static_cast<std::size_t>(o.index)].type));
}

std::uint32_t Builder::result(const ptx::Operand& o, ptx::Type type) {
  if (o.kind == ptx::Operand::Kind::sink) return layout.scratch(bytes(type));
  if (o.kind != ptx::Operand::Kind::reg || is_predicate(o))
    unsupported("a result that is no register");
  if (register_bytes(o, 0) != std::max(2u, bytes(type))) unsupported("a result of another size");
  return layout.register_offset(o.index);
}

std::uint32_t Builder::value(const ptx::Operand& o, ptx::Type type) {
  using Kind = ptx::Operand::Kind;
  const std::uint32_t size = std::max(2u, bytes(type));
  switch (o.kind) {
    case Kind::reg:
      if (is_predicate(o)) unsupported("a predicate as a value");
      if (register_bytes(o, 0) != size) unsupported("an operand of another size");
      return layout.register_offset(o.index);
    case Kind::integer:
    case Kind::real32:
    case Kind::real64: {
      std::uint64_t bits = o.value;
      const bool wide = type == ptx::Type::f64 || type == ptx::Type::b64 ||
                        type == ptx::Type::u64 || type == ptx::Type::s64;
      if (o.kind == Kind::real64 && !wide) {
        bits = std::bit_cast<std::uint32_t>(static_cast<float>(std::bit_cast<double>(bits)));
      } else if (o.kind == Kind::real32 && type == ptx::Type::f64) {
        bits = std::bit_cast<std::uint64_t>(
            static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits))));
      }
      return layout.constant(bits, size);
    }
    case Kind::name:
      if (o.name.front() == '%') {
        const auto special = special_of(o.name);
        if (!special) unsupported(o.name);
        return layout.special(*special, size);
      }
      return address_row(o, size);
    case Kind::variable:
      return address_row(o, size);
    default:
      unsupported("an operand of this kind");
  }
}

std::uint32_t Builder::predicate_result(const ptx::Operand& o) {
  if (o.kind == ptx::Operand::Kind::sink) return layout.scratch(4);
  if (!is_predicate(o)) unsupported("a result that is no predicate");
  return layout.register_offset(o.index);
}

std::pair<std::uint32_t, LaneMask> Builder::predicate_value(const ptx::Operand& o) {
  if (o.kind == ptx::Operand::Kind::integer) return {0, o.value != 0 ? 0 : kAllLanes};
  if (!is_predicate(o)) unsupported("an operand that is no predicate");
  return {layout.register_offset(o.index), o.negated ? kAllLanes : 0};
}

std::uint64_t Builder::integer(const ptx::Operand& o) const {
  if (o.kind != ptx::Operand::Kind::integer) unsupported("an operand that is no constant");
  return o.value;
}

std::uint64_t Builder::address_of(const ptx::Operand& o, ptx::Space* space) {
  if (o.kind == ptx::Operand::Kind::variable) {
    return o.value + compiler.local_address(function, static_cast<std::size_t>(o.index), space);
  }
  if (o.kind != ptx::Operand::Kind::name) unsupported("an operand without an address");
  const auto address = compiler.global_address(o.name, space);
  if (!address) unsupported(fmt::format("{} is not known", o.name));
  return o.value + *address;
}

std::uint32_t Builder::address_row(const ptx::Operand& o, std::uint32_t bytes) {
  ptx::Space space = ptx::Space::none;
  const std::uint64_t address = address_of(o, &space);
  if (space != ptx::Space::local) return layout.constant(address, bytes);
  return layout.special(Special::local_base, bytes, static_cast<std::uint32_t>(address));
}

Builder::Address Builder::address(const ptx::Operand& o) {
  using Kind = ptx::Operand::Kind;
  if (o.kind != Kind::address || o.elements.empty()) unsupported("an operand that is no address");
  const ptx::Operand& base = o.elements.front();
  Address result;
  result.offset = static_cast<std::int64_t>(o.value);
  if (base.kind == Kind::reg) {
    result.bytes = register_bytes(base, 0);
    if (result.bytes != 4 && result.bytes != 8)
      unsupported("an address in a register of this size");
    result.row = layout.register_offset(base.index);
  } else if (base.kind == Kind::integer) {
    result.row = layout.constant(0, 8);
  } else {
    result.row = address_row(base, 8);
  }
  return result;
}

const ParameterArea* Builder::area_of(const ptx::Operand& o) const {
  const ptx::Operand& base = o.kind == ptx::Operand::Kind::address ? o.elements.front() : o;
  if (base.kind != ptx::Operand::Kind::variable) return nullptr;
  return compiler.area(static_cast<std::size_t>(base.index));
}

// ---- OpcodeTable ----

void OpcodeTable::add(std::string_view opcode, InstructionClass kind, Build build) {
  if (find(opcode) != nullptr) {
    throw std::logic_error(fmt::format("two families execute {}", opcode));
  }
  entries_.push_back({opcode, kind, build});
}

const OpcodeTable::Entry* OpcodeTable::find(std::string_view opcode) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& e) { return e.opcode == opcode; });
  return found == entries_.end() ? nullptr : &*found;
}

}  // namespace vgpu

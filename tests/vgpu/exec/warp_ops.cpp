// Instructions that exchange values between a warp's lanes: shfl, vote, match, redux, activemask,
// elect.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <tuple>

#include "tests/vgpu/exec/barrier.h"
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/lanes.h"

namespace vgpu {
namespace {

using ptx::Operand;
using ptx::Type;

// A .sync instruction: waits for the lanes that the member masks name, of which each lane must be
// one itself.
bool gathered(Warp& w, LaneMask mask, std::uint32_t members_row) {
  const auto* members = row<std::uint32_t>(w, members_row);
  for_lanes(mask, [&](std::uint32_t lane) {
    if (((members[lane] >> lane) & 1) != 0) return;
    const std::string message =
        fmt::format("the member mask {:#010x} leaves out its own lane {}; {}", members[lane], lane,
                    describe_thread(w, lane));
    report(w, ReportKind::divergent_barrier, message);
    throw Fault{FaultKind::illegal_instruction, message};
  });
  return converged(w, mask, members);
}

// ---- shfl ----

enum class Shuffle : std::uint8_t { up, down, bfly, idx };

struct ShuffleDetail : Detail {
  Shuffle mode = Shuffle::idx;
  std::uint32_t members = 0;
  std::uint32_t found = 0;  // predicate: whether the source was in range
  bool has_found = false;
};

void run_shuffle(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const ShuffleDetail&>(*ins.detail);
  if (!gathered(w, mask, d.members)) return;
  std::uint32_t values[kLanes];
  std::copy_n(row<std::uint32_t>(w, ins.a), kLanes, values);
  const auto* b = row<std::uint32_t>(w, ins.b);
  const auto* c = row<std::uint32_t>(w, ins.c);
  const auto* members = row<std::uint32_t>(w, d.members);
  std::uint32_t result[kLanes] = {};
  LaneMask found = 0;
  for_lanes(mask, [&](std::uint32_t lane) {
    const std::uint32_t shift = b[lane] & 31;
    const std::uint32_t clamp = c[lane] & 31;
    const std::uint32_t segment = (c[lane] >> 8) & 31;  // ones: bits that all lanes of it share
    const std::uint32_t last = (lane & segment) | (clamp & ~segment);
    const std::uint32_t first = lane & segment;
    std::uint32_t from = lane;
    bool in_range = false;
    switch (d.mode) {
      case Shuffle::up:
        from = lane - shift;
        in_range = static_cast<std::int32_t>(from) >= static_cast<std::int32_t>(last);
        break;
      case Shuffle::down:
        from = lane + shift;
        in_range = from <= last;
        break;
      case Shuffle::bfly:
        from = lane ^ shift;
        in_range = from <= last;
        break;
      case Shuffle::idx:
        from = first | (shift & ~segment);
        in_range = from <= last;
        break;
    }
    if (!in_range) from = lane;
    found |= static_cast<LaneMask>(in_range ? 1 : 0) << lane;
    if (w.worker->checks.sync && (((mask & members[lane]) >> from) & 1) == 0) {
      report(w, ReportKind::absent_lane,
             fmt::format("shfl reads lane {}, which takes no part; {}", from,
                         describe_thread(w, lane)));
    }
    result[lane] = values[from];
  });
  set_lanes(row<std::uint32_t>(w, ins.to), mask, [&](std::uint32_t lane) { return result[lane]; });
  if (d.has_found) {
    LaneMask& to = predicate(w, d.found);
    to = blend(to, found, mask);
  }
}

void build_shuffle(Builder& b) {
  auto& d = b.detail<ShuffleDetail>();
  if (!b.take("sync")) b.unsupported("without sync");
  const int mode = b.take_any({"up", "down", "bfly", "idx"});
  if (mode < 0) b.unsupported("this mode");
  d.mode = static_cast<Shuffle>(mode);
  const Type type = b.take_type();
  b.expect_operands(5);
  const Operand& to = b.operand(0);
  if (to.kind == Operand::Kind::pair) {
    d.has_found = true;
    d.found = b.predicate_result(to.elements[1]);
    b.out.to = b.result(to.elements[0], type);
  } else {
    b.out.to = b.result(to, type);
  }
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, Type::b32);
  b.out.c = b.value(3, Type::b32);
  d.members = b.value(4, Type::b32);
  b.out.handler = run_shuffle;
}

// ---- vote ----

enum class Vote : std::uint8_t { all, any, uni, ballot };

struct VoteDetail : Detail {
  Vote mode = Vote::all;
  std::uint32_t members = 0;
  std::uint32_t source = 0;
  LaneMask source_flip = 0;
};

void run_vote(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const VoteDetail&>(*ins.detail);
  if (!gathered(w, mask, d.members)) return;
  const auto* members = row<std::uint32_t>(w, d.members);
  const LaneMask source = predicate(w, d.source) ^ d.source_flip;
  LaneMask result = 0;
  std::uint32_t ballots[kLanes] = {};
  for_lanes(mask, [&](std::uint32_t lane) {
    const LaneMask group = members[lane] & mask;
    const LaneMask yes = source & group;
    ballots[lane] = yes;
    const bool value = d.mode == Vote::all   ? yes == group
                       : d.mode == Vote::any ? yes != 0
                                             : yes == group || yes == 0;
    result |= static_cast<LaneMask>(value ? 1 : 0) << lane;
  });
  if (d.mode == Vote::ballot) {
    set_lanes(row<std::uint32_t>(w, ins.to), mask,
              [&](std::uint32_t lane) { return ballots[lane]; });
  } else {
    LaneMask& to = predicate(w, ins.to);
    to = blend(to, result, mask);
  }
}

void build_vote(Builder& b) {
  auto& d = b.detail<VoteDetail>();
  if (!b.take("sync")) b.unsupported("without sync");
  const int mode = b.take_any({"all", "any", "uni", "ballot"});
  if (mode < 0) b.unsupported("this mode");
  d.mode = static_cast<Vote>(mode);
  b.take_type();
  b.expect_operands(3);
  b.out.to = d.mode == Vote::ballot ? b.result(0, Type::b32) : b.predicate_result(b.operand(0));
  std::tie(d.source, d.source_flip) = b.predicate_value(b.operand(1));
  d.members = b.value(2, Type::b32);
  b.out.handler = run_vote;
}

// ---- match ----

struct MatchDetail : Detail {
  bool all = false;
  std::uint32_t members = 0;
  std::uint32_t equal = 0;  // predicate of match.all
  bool has_equal = false;
};

template <class T>
void run_match(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const MatchDetail&>(*ins.detail);
  if (!gathered(w, mask, d.members)) return;
  const auto* members = row<std::uint32_t>(w, d.members);
  const T* a = row<T>(w, ins.a);
  std::uint32_t result[kLanes] = {};
  LaneMask equal = 0;
  for_lanes(mask, [&](std::uint32_t lane) {
    const LaneMask group = members[lane] & mask;
    LaneMask same = 0;
    for_lanes(group, [&](std::uint32_t other) {
      if (a[other] == a[lane]) same |= LaneMask{1} << other;
    });
    result[lane] = !d.all ? same : same == group ? group : 0;
    equal |= static_cast<LaneMask>(same == group ? 1 : 0) << lane;
  });
  set_lanes(row<std::uint32_t>(w, ins.to), mask, [&](std::uint32_t lane) { return result[lane]; });
  if (d.has_equal) {
    LaneMask& to = predicate(w, d.equal);
    to = blend(to, equal, mask);
  }
}

void build_match(Builder& b) {
  auto& d = b.detail<MatchDetail>();
  d.all = b.take_any({"all", "any"}) == 0;
  if (!b.take("sync")) b.unsupported("without sync");
  const Type type = b.take_type();
  b.expect_operands(3);
  const Operand& to = b.operand(0);
  if (to.kind == Operand::Kind::pair) {
    d.has_equal = true;
    d.equal = b.predicate_result(to.elements[1]);
    b.out.to = b.result(to.elements[0], Type::b32);
  } else {
    b.out.to = b.result(to, Type::b32);
  }
  b.out.a = b.value(1, type);
  d.members = b.value(2, Type::b32);
  if (bytes(type) == 4) b.out.handler = run_match<std::uint32_t>;
  if (bytes(type) == 8) b.out.handler = run_match<std::uint64_t>;
}

// ---- redux ----

enum class Reduce : std::uint8_t { add, min, max, bit_and, bit_or, bit_xor };

struct ReduceDetail : Detail {
  Reduce operation = Reduce::add;
  bool is_signed = false;
  std::uint32_t members = 0;
};

std::uint32_t reduce(Reduce operation, bool is_signed, std::uint32_t a, std::uint32_t b) {
  const auto sa = static_cast<std::int32_t>(a);
  const auto sb = static_cast<std::int32_t>(b);
  switch (operation) {
    case Reduce::add:
      return a + b;
    case Reduce::min:
      return is_signed ? static_cast<std::uint32_t>(std::min(sa, sb)) : std::min(a, b);
    case Reduce::max:
      return is_signed ? static_cast<std::uint32_t>(std::max(sa, sb)) : std::max(a, b);
    case Reduce::bit_and:
      return a & b;
    case Reduce::bit_or:
      return a | b;
    case Reduce::bit_xor:
      return a ^ b;
  }
  return 0;
}

void run_reduce(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const ReduceDetail&>(*ins.detail);
  if (!gathered(w, mask, d.members)) return;
  const auto* members = row<std::uint32_t>(w, d.members);
  const auto* a = row<std::uint32_t>(w, ins.a);
  std::uint32_t result[kLanes] = {};
  for_lanes(mask, [&](std::uint32_t lane) {
    LaneMask group = members[lane] & mask;
    std::uint32_t value = a[std::countr_zero(group)];
    for_lanes(group & (group - 1), [&](std::uint32_t other) {
      value = reduce(d.operation, d.is_signed, value, a[other]);
    });
    result[lane] = value;
  });
  set_lanes(row<std::uint32_t>(w, ins.to), mask, [&](std::uint32_t lane) { return result[lane]; });
}

void build_reduce(Builder& b) {
  auto& d = b.detail<ReduceDetail>();
  if (!b.take("sync")) b.unsupported("without sync");
  const int operation = b.take_any({"add", "min", "max", "and", "or", "xor"});
  if (operation < 0) b.unsupported("this operation");
  d.operation = static_cast<Reduce>(operation);
  const Type type = b.take_type();
  if (is_float(type) || bytes(type) != 4) b.unsupported("this type");
  d.is_signed = is_signed(type);
  b.expect_operands(3);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  d.members = b.value(2, Type::b32);
  b.out.handler = run_reduce;
}

// ---- activemask, elect ----

void run_active_mask(Warp& w, const Instruction& ins, LaneMask mask) {
  set_lanes(row<std::uint32_t>(w, ins.to), mask, [=](std::uint32_t) { return mask; });
}

void build_active_mask(Builder& b) {
  b.take_type();
  b.expect_operands(1);
  b.out.to = b.result(0, Type::b32);
  b.out.handler = run_active_mask;
}

struct ElectDetail : Detail {
  std::uint32_t members = 0;
  std::uint32_t leader = 0;
};

// The lowest lane is the leader.
void run_elect(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const ElectDetail&>(*ins.detail);
  if (!gathered(w, mask, d.members)) return;
  const auto* members = row<std::uint32_t>(w, d.members);
  std::uint32_t leaders[kLanes] = {};
  LaneMask is_leader = 0;
  for_lanes(mask, [&](std::uint32_t lane) {
    leaders[lane] = static_cast<std::uint32_t>(std::countr_zero(members[lane] & mask));
    is_leader |= static_cast<LaneMask>(leaders[lane] == lane ? 1 : 0) << lane;
  });
  set_lanes(row<std::uint32_t>(w, ins.to), mask, [&](std::uint32_t lane) { return leaders[lane]; });
  LaneMask& to = predicate(w, d.leader);
  to = blend(to, is_leader, mask);
}

void build_elect(Builder& b) {
  auto& d = b.detail<ElectDetail>();
  if (!b.take("sync")) b.unsupported("without sync");
  b.expect_operands(2);
  const Operand& to = b.operand(0);
  if (to.kind != Operand::Kind::pair) b.unsupported("one result");
  b.out.to = b.result(to.elements[0], Type::b32);
  d.leader = b.predicate_result(to.elements[1]);
  d.members = b.value(1, Type::b32);
  b.out.handler = run_elect;
}

}  // namespace

void add_warp(OpcodeTable& table) {
  constexpr auto kKind = InstructionClass::warp;
  table.add("shfl", kKind, build_shuffle);
  table.add("vote", kKind, build_vote);
  table.add("match", kKind, build_match);
  table.add("redux", kKind, build_reduce);
  table.add("activemask", kKind, build_active_mask);
  table.add("elect", kKind, build_elect);
}

}  // namespace vgpu

// mbarrier objects: barriers in shared memory that count arrivals and bytes of asynchronous copies.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "tests/vgpu/exec/access.h"
#include "tests/vgpu/exec/async.h"
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/lanes.h"
#include "tests/vgpu/exec/race.h"

namespace vgpu {
namespace {

using ptx::Operand;
using ptx::Type;

constexpr std::uint32_t kMaxCount = (1u << 20) - 1;

// The 64 bits of an mbarrier: arrivals expected in a phase and still pending, bytes still to come
// (they may arrive before they are announced), and the phase's parity.
struct Object {
  std::uint32_t expected = 0, pending = 0;
  std::int32_t bytes = 0;
  bool parity = false;

  static Object load(const std::byte* at) {
    std::uint64_t v = 0;
    std::memcpy(&v, at, sizeof v);
    Object o;
    o.expected = v & kMaxCount;
    o.pending = (v >> 20) & kMaxCount;
    o.bytes = static_cast<std::int32_t>(static_cast<std::uint32_t>((v >> 40) & 0x7fffff) << 9) >> 9;
    o.parity = (v >> 63) != 0;
    return o;
  }
  [[nodiscard]] std::uint64_t bits() const {
    return std::uint64_t{expected} | (std::uint64_t{pending} << 20) |
           (static_cast<std::uint64_t>(static_cast<std::uint32_t>(bytes) & 0x7fffff) << 40) |
           (static_cast<std::uint64_t>(parity ? 1 : 0) << 63);
  }
  void store(std::byte* at) const {
    const std::uint64_t v = bits();
    std::memcpy(at, &v, sizeof v);
  }
  void complete_if_done() {
    if (pending != 0 || bytes != 0) return;
    parity = !parity;
    pending = expected;
  }
};

struct MbarrierDetail : AccessDetail {
  bool drop = false, no_complete = false, expects = false, parity = false;
  bool has_state = false;
  std::uint32_t count = 0;  // row: arrivals, bytes, a state or a parity
  bool has_count = false;
  bool relaxed = false;
  std::uint32_t tx = 0;  // row of expect_tx's bytes
};

[[noreturn]] void overrun(Warp& w, std::uint32_t lane, const char* what) {
  throw Fault{FaultKind::illegal_instruction,
              fmt::format("mbarrier: {}; {}", what, describe_thread(w, lane))};
}

void run_init(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const MbarrierDetail&>(*ins.detail);
  Lanes lanes;
  resolve(w, ins, d, mask, lanes);
  const auto* count = row<std::uint32_t>(w, d.count);
  for_lanes(mask, [&](std::uint32_t lane) {
    if (count[lane] == 0 || count[lane] > kMaxCount)
      overrun(w, lane, "a count outside 1 to 2^20 - 1");
    Object o;
    o.expected = o.pending = count[lane];
    o.store(lanes.at[lane]);
  });
}

void run_invalidate(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const MbarrierDetail&>(*ins.detail);
  Lanes lanes;
  resolve(w, ins, d, mask, lanes);
  // It expects no arrivals now, so that any is one too many.
  for_lanes(mask, [&](std::uint32_t lane) { Object{}.store(lanes.at[lane]); });
}

void run_arrive(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const MbarrierDetail&>(*ins.detail);
  Lanes lanes;
  resolve(w, ins, d, mask, lanes);
  const auto* count = row<std::uint32_t>(w, d.count);
  const auto* tx = row<std::uint32_t>(w, d.tx);
  auto* state = row<std::uint64_t>(w, ins.to);
  for_lanes(mask, [&](std::uint32_t lane) {
    Object o = Object::load(lanes.at[lane]);
    const std::uint32_t arrivals = d.has_count ? count[lane] : 1;
    if (arrivals > o.pending) {  // the phase may be over but for what is pending
      settle_mbarrier(w, lanes.at[lane], o.parity);
      o = Object::load(lanes.at[lane]);
    }
    if (arrivals == 0 || arrivals > o.pending) {
      overrun(w, lane, "more arrivals than the phase expects");
    }
    if (d.has_state) state[lane] = o.bits();
    if (d.expects) o.bytes += static_cast<std::int32_t>(tx[lane]);
    o.pending -= arrivals;
    if (d.drop) o.expected -= arrivals;
    if (w.worker->checks.race) race_release(w, lanes.at[lane], d.relaxed);
    o.complete_if_done();
    o.store(lanes.at[lane]);
  });
  ++w.worker->progress;
}

// expect_tx and complete_tx by themselves.
void run_transaction(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const MbarrierDetail&>(*ins.detail);
  Lanes lanes;
  resolve(w, ins, d, mask, lanes);
  const auto* tx = row<std::uint32_t>(w, d.tx);
  for_lanes(mask, [&](std::uint32_t lane) {
    Object o = Object::load(lanes.at[lane]);
    o.bytes +=
        d.expects ? static_cast<std::int32_t>(tx[lane]) : -static_cast<std::int32_t>(tx[lane]);
    if (!d.expects) o.complete_if_done();
    o.store(lanes.at[lane]);
  });
  ++w.worker->progress;
}

void run_wait(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const MbarrierDetail&>(*ins.detail);
  Lanes lanes;
  resolve(w, ins, d, mask, lanes);
  LaneMask done = 0;
  for_lanes(mask, [&](std::uint32_t lane) {
    const bool before = d.parity ? (row<std::uint32_t>(w, d.count)[lane] & 1) != 0
                                 : (row<std::uint64_t>(w, d.count)[lane] >> 63) != 0;
    settle_mbarrier(w, lanes.at[lane], before);
    if (Object::load(lanes.at[lane]).parity == before) return;
    if (w.worker->checks.race) race_acquire(w, lanes.at[lane]);
    done |= LaneMask{1} << lane;
  });
  LaneMask& to = predicate(w, ins.to);
  to = blend(to, done, mask);
  if (done == mask) {
    w.failed_waits = 0;
    return;
  }
  ++w.failed_waits;
  w.yielding = true;
  reschedule(w);
}

void run_pending_count(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto* state = row<std::uint64_t>(w, ins.a);
  set_lanes(row<std::uint32_t>(w, ins.to), mask, [=](std::uint32_t lane) {
    return static_cast<std::uint32_t>((state[lane] >> 20) & kMaxCount);
  });
}

void build_mbarrier(Builder& b) {
  auto& d = b.detail<MbarrierDetail>();
  d.bytes = d.alignment = 8;
  d.ordering = Ordering::relaxed;
  d.kind = AccessKind::atomic;
  const int action = b.take_any({"init", "inval", "arrive", "arrive_drop", "test_wait", "try_wait",
                                 "expect_tx", "complete_tx", "pending_count"});
  if (action < 0) b.unsupported("an unknown action");
  d.relaxed = b.take("relaxed");
  b.take_any({"release", "acquire"});
  b.take_any({"cta", "cluster"});
  d.no_complete = b.take("noComplete");
  d.parity = b.take("parity");
  if (action == 2 || action == 3) d.expects = b.take("expect_tx");
  const AddressSpace space = take_space(b);
  b.take("b64");
  std::size_t next = 0;
  if (action == 8) {
    b.expect_operands(2);
    b.out.to = b.result(0, Type::u32);
    b.out.a = b.value(1, Type::b64);
    b.out.handler = run_pending_count;
    return;
  }
  if (action == 4 || action == 5) b.out.to = b.predicate_result(b.operand(next++));
  // An arrival gives the state unless it has no result or "_".
  if ((action == 2 || action == 3) && b.operand(0).kind != Operand::Kind::address) {
    d.has_state = b.operand(0).kind == Operand::Kind::reg;
    b.out.to = b.result(next++, Type::b64);
  }
  const Builder::Address a = b.address(b.operand(next++));
  d.resolve = resolver(space);
  d.address_bytes = a.bytes;
  b.out.a = a.row;
  b.out.immediate = a.offset;
  switch (action) {
    case 0:
      d.kind = AccessKind::store;
      d.count = b.value(next++, Type::u32);
      b.out.handler = run_init;
      break;
    case 1:
      b.out.handler = run_invalidate;
      break;
    case 2:
    case 3:
      d.drop = action == 3;
      if (d.expects) {
        d.tx = b.value(next++, Type::u32);
      } else if (next < b.operands()) {
        d.has_count = true;
        d.count = b.value(next++, Type::u32);
      }
      b.out.handler = run_arrive;
      break;
    case 4:
    case 5:
      d.count = b.value(next++, d.parity ? Type::u32 : Type::b64);
      if (next < b.operands()) ++next;  // how long a device may suspend the thread
      b.out.handler = run_wait;
      break;
    default:
      d.expects = action == 6;
      d.tx = b.value(next++, Type::u32);
      b.out.handler = run_transaction;
      break;
  }
  b.expect_operands(next);
}

}  // namespace

void add_pending_arrival(std::byte* barrier) {
  Object o = Object::load(barrier);
  ++o.pending;
  o.store(barrier);
}

void settle_mbarrier(Warp& w, std::byte* barrier, bool parity) {
  Block* owner = owner_of(w, barrier);
  if (owner == nullptr) return;
  auto& arrivals = owner->arrivals;
  for (std::size_t i = 0; i < arrivals.size() && Object::load(barrier).parity == parity;) {
    if (arrivals[i].barrier != barrier) {
      ++i;
      continue;
    }
    const PendingArrival arrival = std::move(arrivals[i]);
    arrivals.erase(arrivals.begin() + static_cast<std::ptrdiff_t>(i));
    for (const PendingCopy& copy : arrival.copies) land_copy(copy);
    Object o = Object::load(barrier);
    if (arrival.transaction_bytes != 0) {
      o.bytes -= static_cast<std::int32_t>(arrival.transaction_bytes);
    } else if (o.pending > 0) {
      --o.pending;
    }
    o.complete_if_done();
    o.store(barrier);
    ++w.worker->progress;
  }
}

void add_mbarriers(OpcodeTable& table) {
  table.add("mbarrier", InstructionClass::barrier, build_mbarrier);
}

}  // namespace vgpu

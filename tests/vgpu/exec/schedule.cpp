// Runs a launch: blocks in an order that the seed sets, on several host threads; the blocks of a
// cluster together, those of a cooperative grid all at the same time.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "tests/vgpu/exec/barrier.h"
#include "tests/vgpu/exec/launch.h"
#include "tests/vgpu/exec/race.h"
#include "tests/vgpu/exec/warp.h"
#include "tests/vgpu/posed.h"

namespace vgpu {
namespace {

constexpr std::uint32_t kSlice = 256;         // back-branches of a warp before the next one runs
constexpr int kIdlePasses = 64;               // passes without progress before another group joins
constexpr std::uint32_t kFailedWaits = 4096;  // of a warp, before it counts as waiting for ever
constexpr std::uint64_t kWarpsWorthAThread = 32;

std::uint64_t next_random(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15u;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// Which group runs as number `i` of `n`: a permutation that the seed chooses; as they are for 0.
class GroupOrder {
 public:
  GroupOrder(std::uint64_t n, std::uint64_t seed) : n_(n) {
    if (seed == 0) return;
    std::uint64_t state = seed;
    offset_ = next_random(state) % n;
    stride_ = 1 + next_random(state) % n;
    while (std::gcd(stride_, n) != 1) ++stride_;
  }
  std::uint64_t operator()(std::uint64_t i) const {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((Wide{i} * stride_ + offset_) % n_);
  }

 private:
  std::uint64_t n_;
  std::uint64_t stride_ = 1;
  std::uint64_t offset_ = 0;
};

// Blocks that run together: one, or the blocks of a cluster.
class Group {
 public:
  explicit Group(Worker& worker) : worker_(worker) {
    LaunchState& launch = *worker.launch;
    for (std::uint64_t rank = 0; rank < launch.cluster.count(); ++rank) {
      auto block = std::make_unique<Block>();
      block->worker = &worker;
      block->cluster_rank = static_cast<std::uint32_t>(rank);
      block->shared_end = launch.shared_bytes;
      block->shared = AlignedBytes(launch.shared_bytes);
      if (launch.race) block->race_shared.resize(launch.race->index(launch.shared_bytes) + 1);
      for (std::uint32_t i = 0; i < launch.warps; ++i) {
        auto warp = std::make_unique<Warp>();
        const std::uint32_t threads = std::min(launch.threads - i * kLanes, kLanes);
        warp->threads = threads == kLanes ? kAllLanes : (LaneMask{1} << threads) - 1;
        warp->index = i;
        warp->block = block.get();
        warp->worker = &worker;
        warps_.push_back(warp.get());
        block->warps.push_back(std::move(warp));
      }
      blocks_.push_back(std::move(block));
    }
    for (auto& block : blocks_) {
      for (auto& other : blocks_) block->cluster.push_back(other.get());
    }
  }

  void start(std::uint64_t number) {
    const LaunchState& launch = *worker_.launch;
    const Dim3& c = launch.cluster;
    const Dim3& n = launch.clusters;
    const Dim3 at{static_cast<std::uint32_t>(number % n.x),
                  static_cast<std::uint32_t>(number / n.x % n.y),
                  static_cast<std::uint32_t>(number / n.x / n.y)};
    std::shared_ptr<RaceUnit> race;
    if (launch.race) {
      race = std::make_shared<RaceUnit>(static_cast<std::uint32_t>(number) + 1, warps_.size());
    }
    for (auto& owned : blocks_) {
      Block& block = *owned;
      const std::uint32_t rank = block.cluster_rank;
      block.index = {at.x * c.x + rank % c.x, at.y * c.y + rank / c.x % c.y,
                     at.z * c.z + rank / c.x / c.y};
      block.number = block.index.x +
                     launch.grid.x * (block.index.y + std::uint64_t{launch.grid.y} * block.index.z);
      block.live_warps = launch.warps;
      for (Barrier& barrier : block.barriers) barrier = Barrier{};
      block.arrivals.clear();
      std::memset(block.shared.data(), 0xff, block.shared.size());
      block.shared_shadow = launch.shared_shadow;
      for (auto& warp : block.warps) start_warp(*warp);
      block.race = race;
    }
    idle_passes_ = 0;
  }

  // Lets each warp run for a slice. Returns whether all have ended.
  bool pass() {
    const std::uint64_t before = worker_.progress;
    bool any_alive = false;
    bool any_hope = false;
    const std::size_t first =
        worker_.launch->options->seed == 0 ? 0 : next_random(worker_.random) % warps_.size();
    for (std::size_t i = 0; i < warps_.size(); ++i) {
      Warp& w = *warps_[(first + i) % warps_.size()];
      if (w.live == 0) continue;
      const bool ran = run_warp(w);
      any_alive = any_alive || w.live != 0;
      any_hope = any_hope || (ran && w.failed_waits < kFailedWaits);
    }
    const std::atomic_ref launch_progress(worker_.launch->progress);
    if (worker_.progress != before) {
      launch_progress.fetch_add(1, std::memory_order_relaxed);
      idle_passes_ = 0;
    } else {
      ++idle_passes_;
      if (any_alive && !any_hope) deadlock();
    }
    const std::uint64_t now = launch_progress.load(std::memory_order_relaxed);
    if (now != worker_.launch_progress) {
      worker_.launch_progress = now;
      worker_.iterations = 0;
    }
    if (worker_.iterations > worker_.launch->options->watchdog) hang();
    return !any_alive;
  }

  [[nodiscard]] bool idle() const { return idle_passes_ >= kIdlePasses; }

 private:
  [[nodiscard]] std::string waiting(bool& divergent) const {
    std::string text;
    for (const auto& block : blocks_) text += describe_waiting(*block, divergent);
    return text;
  }

  [[noreturn]] void deadlock() {
    bool divergent = false;
    const std::string text = waiting(divergent);
    const ReportKind kind = divergent ? ReportKind::divergent_barrier : ReportKind::deadlock;
    const std::string message =
        fmt::format("kernel {}: no thread can go on:{}", worker_.launch->kernel->info.name, text);
    worker_.launch->options->reports->add(kind, message);
    throw Fault{FaultKind::hang, fmt::format("{}: {}", name(kind), message)};
  }

  [[noreturn]] void hang() {
    bool divergent = false;
    const std::string message =
        fmt::format("kernel {}: {} iterations without a store, a barrier or an exit:{}",
                    worker_.launch->kernel->info.name, worker_.iterations, waiting(divergent));
    worker_.launch->options->reports->add(ReportKind::deadlock, message);
    throw Fault{FaultKind::hang, message};
  }

  Worker& worker_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<Warp*> warps_;
  int idle_passes_ = 0;
};

// What the workers of one launch share.
struct Shared {
  std::atomic<std::uint64_t> next{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  Outcome outcome;

  void fail(const Fault& fault) {
    const std::lock_guard lock(mutex);
    if (outcome.ok()) outcome = {fault.kind, fault.message};
    stop = true;
  }
};

void work(Worker& worker, Shared& shared, std::uint64_t groups, const GroupOrder& order,
          std::uint64_t most_resident) {
  std::vector<std::unique_ptr<Group>> resident;
  std::vector<std::unique_ptr<Group>> free;
  const bool all_at_once = worker.launch->launch->cooperative;
  bool exhausted = false;
  const auto admit = [&] {
    const std::uint64_t i = shared.next.fetch_add(1);
    exhausted = i >= groups;
    if (exhausted) return;
    if (free.empty()) free.push_back(std::make_unique<Group>(worker));
    free.back()->start(order(i));
    resident.push_back(std::move(free.back()));
    free.pop_back();
  };
  try {
    while (!shared.stop) {
      const bool stuck =
          std::all_of(resident.begin(), resident.end(), [](const auto& g) { return g->idle(); });
      if (!exhausted &&
          (resident.empty() || all_at_once || (stuck && resident.size() < most_resident))) {
        admit();
      }
      if (resident.empty()) {
        if (exhausted) break;
        continue;
      }
      for (std::size_t i = 0; i < resident.size();) {
        if (resident[i]->pass()) {
          free.push_back(std::move(resident[i]));
          resident.erase(resident.begin() + static_cast<std::ptrdiff_t>(i));
        } else {
          ++i;
        }
      }
    }
  } catch (const Fault& fault) {
    shared.fail(fault);
  }
}

// Adds what the executed instructions amount to.
void count_executions(const Kernel& kernel, const Worker& worker, Counters& total) {
  total += worker.counters;
  if (worker.executions.empty()) return;
  std::map<std::int32_t, std::uint64_t> lines;  // whose names are long
  for (const auto& function : kernel.functions) {
    for (std::size_t pc = 0; pc < function->info.size(); ++pc) {
      const auto& executed = worker.executions[function->first_counter + pc];
      const InstructionInfo& info = function->info[pc];
      const auto kind = static_cast<std::size_t>(info.kind);
      total.warp_instructions[kind] += executed.warps;
      total.thread_instructions[kind] += executed.threads;
      total.flops[info.precision] +=
          executed.threads * info.flops + executed.warps * info.warp_flops;
      if (executed.warps > 0) lines[info.location] += executed.warps;
      if (executed.shared.conflicts > 0) {
        total.shared_lines[kernel.place(info.location)] += executed.shared;
      }
    }
  }
  for (const auto& [location, warps] : lines) {
    total.instruction_lines[kernel.place(location)] += warps;
  }
}

LaunchState prepare(Memory& memory, const Launch& launch, const Options& options) {
  LaunchState state;
  const Kernel& kernel = *launch.kernel;
  state.memory = &memory;
  state.launch = &launch;
  state.options = &options;
  state.kernel = &kernel;
  state.grid = launch.grid;
  state.block = launch.block;
  state.cluster = launch.cluster.x != 0                 ? launch.cluster
                  : kernel.info.required_cluster.x != 0 ? kernel.info.required_cluster
                                                        : Dim3{};
  state.clusters = {launch.grid.x / state.cluster.x, launch.grid.y / state.cluster.y,
                    launch.grid.z / state.cluster.z};
  state.threads = static_cast<std::uint32_t>(launch.block.count());
  state.warps = (state.threads + kLanes - 1) / kLanes;
  state.shared_bytes = kernel.dynamic_shared_offset + launch.dynamic_shared_bytes;
  state.parameters = launch.parameters;
  state.parameters.resize(std::max<std::size_t>(kernel.info.parameter_bytes, 1));
  state.shared_shadow.assign(state.shared_bytes, 0);
  const auto mark = [&](std::uint32_t offset, std::uint32_t bytes) {
    std::memset(state.shared_shadow.data() + offset, Memory::kAddressable, bytes);
  };
  for (const Extent& e : kernel.shared) mark(e.offset, e.bytes);
  mark(kernel.dynamic_shared_offset, launch.dynamic_shared_bytes);
  return state;
}

}  // namespace

Outcome run(Memory& memory, const Launch& launch, const Options& options) {
  LaunchState state = prepare(memory, launch, options);
  if (launch.cooperative) {
    // cooperative_groups' grid workspace: its size, then the barrier.
    const auto workspace = memory.allocate(256, MemoryKind::internal, "grid workspace");
    if (!workspace) return {FaultKind::illegal_address, "no memory for the grid's workspace"};
    state.workspace = *workspace;
    memory.fill(*workspace, 0, 256);
  }
  if (options.checks.race) {
    state.race =
        std::make_shared<RaceGrid>(memory.allocated_end(), launch.kernel->narrowest_access);
  }
  const std::uint64_t groups = state.clusters.count();
  const std::uint64_t warps = groups * state.cluster.count() * state.warps;
  const auto cores = static_cast<std::uint64_t>(
      options.threads > 0 ? static_cast<unsigned>(options.threads)
                          : std::max(1u, std::thread::hardware_concurrency()));
  const std::uint64_t threads =
      std::max<std::uint64_t>(1, std::min({cores, groups, warps / kWarpsWorthAThread}));
  const GroupOrder order(groups, options.seed);
  const std::uint64_t resident =
      std::uint64_t{std::max(
          1u, resident_blocks(launch.kernel->info, state.threads, launch.dynamic_shared_bytes))} *
      posed.multiprocessors / state.cluster.count();
  const std::uint64_t most_resident = std::max<std::uint64_t>(1, resident / threads);

  Shared shared;
  std::vector<std::unique_ptr<Worker>> workers;
  for (std::uint64_t i = 0; i < threads; ++i) {
    auto worker = std::make_unique<Worker>();
    worker->launch = &state;
    worker->checks = options.checks;
    worker->random = options.seed + i;
    worker->slice = kSlice;
    const std::uint8_t memory_bit = options.checks.memory ? Memory::kAddressable : 0;
    worker->store_needs = memory_bit;
    worker->load_needs = memory_bit | (options.checks.init ? Memory::kWritten : 0);
    worker->observed = options.checks.race || options.counters != nullptr;
    if (options.counters != nullptr) worker->executions.resize(launch.kernel->instructions);
    workers.push_back(std::move(worker));
  }
  {
    std::vector<std::jthread> helpers;
    for (std::uint64_t i = 1; i < threads; ++i) {
      helpers.emplace_back([&, i] { work(*workers[i], shared, groups, order, most_resident); });
    }
    work(*workers[0], shared, groups, order, most_resident);
  }
  if (options.counters != nullptr) {
    for (const auto& worker : workers) count_executions(*launch.kernel, *worker, *options.counters);
  }
  if (state.workspace != 0) memory.release(state.workspace);
  return shared.outcome;
}

}  // namespace vgpu

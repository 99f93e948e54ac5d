#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/vgpu/exec/launch.h"
#include "tests/vgpu/exec/program.h"
#include "tests/vgpu/exec/race_state.h"

// The state of what runs. A warp's state is data alone, so that it can stop at any instruction and
// go on later.
namespace vgpu {

struct Block;
struct Worker;

// Ends a launch: thrown by handlers, caught by the worker.
struct Fault {
  FaultKind kind = FaultKind::none;
  std::string message;
};

// Bytes aligned for vector access.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(std::size_t size);
  [[nodiscard]] std::byte* data() { return data_.get(); }
  [[nodiscard]] const std::byte* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte[], Free> data_;
  std::size_t size_ = 0;
};

// One activation of a function by some lanes of a warp.
struct Frame {
  const Function* function = nullptr;
  Frame* caller = nullptr;
  std::uint32_t depth = 0;
  std::uint32_t call_pc = 0;     // in the caller: the call itself
  std::uint32_t local_base = 0;  // a lane's local memory from here on is this activation's
  std::uint32_t fragments = 0;   // fragments and callees that refer to it
  AlignedBytes rows;
};

// Lanes of a warp that are at the same instruction of the same activation.
struct Fragment {
  enum class State : std::uint8_t {
    runnable,
    converging,  // at a .sync instruction, until the other lanes that it names are there too
    waiting,     // at a block or cluster barrier
  };
  LaneMask mask = 0;
  std::uint32_t pc = 0;
  Frame* frame = nullptr;
  State state = State::runnable;
  std::int32_t barrier = -1;  // which, while waiting; kClusterBarrier for the cluster's
};
inline constexpr std::int32_t kClusterBarrier = 16;

// Local memory of a warp's lanes: lane l's bytes start at l * stride.
struct LocalMemory {
  std::vector<std::byte> bytes;
  std::vector<std::uint8_t> shadow;
  std::uint32_t stride = 0;
};

// A copy that was issued and whose data has not arrived. Until it does the destination holds NaNs
// and counts as never written.
struct PendingCopy {
  std::byte* to = nullptr;
  std::uint8_t* to_shadow = nullptr;
  const std::byte* from = nullptr;
  std::uint32_t bytes = 0;       // of the destination
  std::uint32_t from_bytes = 0;  // what the source gives; the rest is zero
  std::uint32_t lane = 0;        // of the warp that issued it
  std::uint64_t group = 0;       // number of the group within its lane, from 1; 0: not committed
};

// Something that happens to an mbarrier when somebody next looks at it: copies land, then their
// bytes or an arrival are counted.
struct PendingArrival {
  std::byte* barrier = nullptr;
  std::vector<PendingCopy> copies;
  std::uint32_t transaction_bytes = 0;  // for complete_tx; 0: an arrival of one thread
};

struct Warp {
  // The fragment that runs.
  std::byte* rows = nullptr;
  const Instruction* code = nullptr;
  std::uint32_t pc = 0;     // of the next instruction
  std::uint32_t limit = 0;  // leave the inner loop when pc reaches it
  LaneMask active = 0;
  std::uint32_t back_branches = 0;  // left before other fragments get their turn
  Fragment::State state = Fragment::State::runnable;
  std::int32_t barrier = -1;
  Frame* frame = nullptr;

  LaneMask live = 0;                // lanes that have not exited
  LaneMask threads = 0;             // lanes that are threads of the block
  std::uint32_t index = 0;          // in the block
  std::uint32_t slice = 0;          // back-branches left before other warps get their turn
  std::uint32_t priority = 0;       // branches left in which lower fragments do not interrupt
  bool yielding = false;            // nanosleep, or a wait that failed
  bool rotate = false;              // so another fragment comes first next time
  std::uint32_t failed_waits = 0;   // in a row
  std::vector<Fragment> fragments;  // that do not run now

  Block* block = nullptr;
  Worker* worker = nullptr;
  Frame base;
  std::vector<std::unique_ptr<Frame>> frames;  // of calls, in use or free
  std::vector<Frame*> free_frames;
  LocalMemory local;

  // Asynchronous copies; the async_copy family's.
  std::vector<PendingCopy> copies;
  std::array<std::uint64_t, kLanes> copy_groups{};  // committed so far, a lane each
  std::vector<PendingCopy> bulk_copies;             // without an mbarrier
  std::array<std::uint64_t, kLanes> bulk_groups{};
  std::vector<std::unique_ptr<Detail>> family_state;  // what other families keep: wgmma's products

  [[nodiscard]] const Kernel& kernel() const;
  // The instruction that runs now: handlers are called with pc already advanced.
  [[nodiscard]] std::uint32_t current_pc() const { return pc - 1; }
};

template <class T>
T* row(Warp& w, std::uint32_t offset) {
  return reinterpret_cast<T*>(w.rows + offset);
}
inline LaneMask& predicate(Warp& w, std::uint32_t offset) { return *row<LaneMask>(w, offset); }

// One of a block's sixteen barriers, or the cluster's.
struct Barrier {
  std::uint32_t expected = 0;     // threads; 0: all that have not exited
  bool counting = false;          // the warps below have arrived in this phase
  std::vector<LaneMask> arrived;  // by warp
  std::uint32_t popcount = 0;     // of bar.red
  bool all = true, any = false;
  RaceClocks clocks;            // the race check's: what is before the arrivals
  std::uint32_t acquiring = 0;  // warps that are ordered after it, a bit each
};

struct Block {
  Dim3 index;                // in the grid
  std::uint64_t number = 0;  // linear
  std::uint32_t cluster_rank = 0;
  std::vector<Block*> cluster;  // by rank; itself alone without clusters
  std::vector<std::unique_ptr<Warp>> warps;
  AlignedBytes shared;  // by shared offset
  std::vector<std::uint8_t> shared_shadow;
  std::uint32_t shared_end = 0;  // offsets from here on are outside
  std::array<Barrier, 17> barriers;
  Worker* worker = nullptr;
  std::uint32_t live_warps = 0;
  std::vector<PendingArrival> arrivals;  // at mbarriers in this block's shared memory
  std::shared_ptr<RaceUnit> race;        // of the cluster; null when races are not checked
  std::vector<RaceGranule> race_shared;  // of this block's shared memory
};

// What all workers of a launch share.
struct LaunchState {
  Memory* memory = nullptr;
  const Launch* launch = nullptr;
  const Options* options = nullptr;
  const Kernel* kernel = nullptr;
  Dim3 grid, block, cluster, clusters;
  std::uint32_t threads = 0;       // a block
  std::uint32_t warps = 0;         // a block
  std::uint32_t shared_bytes = 0;  // end of shared memory as an offset
  std::uint64_t workspace = 0;     // of cooperative grid synchronisation
  std::vector<std::byte> parameters;
  std::vector<std::uint8_t> shared_shadow;  // of a block when it starts
  std::shared_ptr<RaceGrid> race;           // null when races are not checked
  std::uint64_t progress = 0;               // passes in which a worker made any; atomic
};

// One host thread that runs blocks.
struct Worker {
  LaunchState* launch = nullptr;
  Checks checks;
  std::uint8_t load_needs = 0;  // shadow bits that each byte of a load or an atomic must have
  std::uint8_t store_needs = 0;
  std::byte nowhere[64] = {};  // where lanes that take no part in an access look
  bool observed = false;       // counters or race checks look at each access
  Counters counters;
  std::uint64_t progress = 0;    // stores, barriers and exits so far
  std::uint64_t random = 0;      // state of the schedule's generator
  std::uint32_t slice = 0;       // back-branches of a warp before the next gets its turn
  std::uint64_t iterations = 0;  // back-branches since any worker's last progress, for the watchdog
  std::uint64_t launch_progress = 0;  // LaunchState::progress when it was last looked at
  std::uint64_t clock = 0;            // counts readings of clocks
  struct Executions {
    std::uint64_t warps = 0;
    std::uint64_t threads = 0;
    SharedLine shared;  // where the instruction accesses shared memory
  };
  std::vector<Executions> executions;  // by Function::first_counter plus pc, when counting
};

inline const Kernel& Warp::kernel() const { return *worker->launch->kernel; }
// Of the instruction that runs now, when counting.
inline Worker::Executions& current_executions(Warp& w) {
  return w.worker->executions[w.frame->function->first_counter + w.current_pc()];
}

// Runs a warp until it waits, ends or has used up its slice. Returns false when nothing in it can
// run.
bool run_warp(Warp& w);
// All of a block's warp's lanes at the start of the kernel.
void start_warp(Warp& w);

// ---- for handlers that change the flow ----

// Leave the inner loop after this instruction and choose a fragment anew.
inline void reschedule(Warp& w) { w.limit = 0; }
// Another fragment of the same activation and state as the running one.
void split(Warp& w, LaneMask mask, std::uint32_t pc);
// The running fragment stands at its instruction again, in a state that is not runnable.
void park(Warp& w, Fragment::State state);
// Some lanes of the running fragment have exited.
void exit_lanes(Warp& w, LaneMask mask);
// Counts a branch back, so that loops give way to other fragments and warps.
void count_back_branch(Warp& w);
// After a jump: where the running fragment must stop to meet or let pass others.
void retarget(Warp& w);

void enter_function(Warp& w, const Function& function, std::uint32_t call_pc);
void leave_frame(Warp& w, Frame* frame);

// "kernel, block (0,0,0), thread (1,0,0), saxpy.cu:12"
[[nodiscard]] std::string describe_thread(const Warp& w, std::uint32_t lane);
[[nodiscard]] std::string current_place(const Warp& w);
[[nodiscard]] Dim3 thread_index(const LaunchState& launch, std::uint32_t warp, std::uint32_t lane);

void report(const Warp& w, ReportKind kind, const std::string& message);

}  // namespace vgpu

#pragma once

#include <cstdint>

// Bulk copies into shared memory and out of it, which the copy engine makes while threads do other
// things, and the barriers in shared memory that tell when they have arrived: mbarrier and
// cp.async.bulk, from compute capability 9.0 on.

namespace siamese::cuda {

/// An mbarrier, to be initialised by one thread. Its phases are counted from 0; a phase ends when
/// `arrivals` threads have arrived and all bytes have that were announced in it.
class CopyBarrier {
 public:
  __device__ void init(int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address()), "r"(arrivals)
                 : "memory");
  }

  __device__ void arrive() {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(address()) : "memory");
  }

  /// Arrives and copies: `bytes`, a multiple of 16, end the phase when they are there.
  __device__ void arrive_with_copy(void* to, const void* from, int bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address()),
                 "r"(bytes)
                 : "memory");
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
            "r"(static_cast<std::uint32_t>(__cvta_generic_to_shared(to))),
        "l"(from), "r"(bytes), "r"(address())
        : "memory");
  }

  /// Waits for the end of phase number `phase`, which must be this one or the one before.
  __device__ void wait(std::int64_t phase) {
    asm volatile(
        "{\n.reg .pred done;\nagain:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n@!done bra again;\n}" ::"r"(
            address()),
        "r"(static_cast<int>(phase % 2))
        : "memory");
  }

 private:
  __device__ std::uint32_t address() {
    return static_cast<std::uint32_t>(__cvta_generic_to_shared(&state_));
  }

  std::uint64_t state_;
};

/// After init, by the thread that did it, before the block's threads meet.
__device__ inline void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

/// Lets what reads shared memory by another proxy than loads do, bulk copies and wgmma, see what
/// the thread stored there, once it and the reading threads have met.
__device__ inline void fence_async_proxy() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/// Begins to copy `bytes`, a multiple of 16, from shared to global memory.
__device__ inline void bulk_copy_out(void* to, const void* from, int bytes) {
  asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(to),
               "r"(static_cast<std::uint32_t>(__cvta_generic_to_shared(from))), "r"(bytes)
               : "memory");
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}

/// Waits until all copies out that the thread began have read shared memory.
__device__ inline void wait_for_copies_out() {
  asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}

/// Copies `bytes`, a multiple of 16, from global to shared memory and returns, in every thread of
/// the block, when they are there. Once a kernel.
__device__ inline void bulk_copy_to_all(void* to, const void* from, int bytes) {
  __shared__ CopyBarrier arrived;
  if (threadIdx.x == 0) {
    arrived.init(1);
    publish_barriers();
  }
  __syncthreads();
  if (threadIdx.x == 0) arrived.arrive_with_copy(to, from, bytes);
  arrived.wait(0);
}

}  // namespace siamese::cuda

// A radix sort in three launches a pass: count (each block, how many endpoints of its tile have
// each digit), scan (a block a digit: where each tile's endpoints begin among those with the digit,
// and how many these are), scatter (each endpoint to its place, behind all with smaller digits).
// Where all are one tile, the block that scatters them has counted them all: one launch a pass.
// Within a tile each warp has a stretch of its own and takes it in order, 32 endpoints at a time:
// lanes with equal digits find each other by a match, and a lane's rank among them is its place. No
// atomics, and endpoints with equal digits keep their order. Lanes look up the places of whatever
// digits they have, so some meet in a bank of shared memory: for 256 endpoints among 30 points, 48
// passes more than the least.

#include <algorithm>
#include <bit>

#include "kernels/cuda/check.h"
#include "kernels/cuda/endpoint_sort.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/multiples.h"

namespace siamese::cuda {
namespace {

constexpr int digit_bits = 8;
constexpr int digits = 1 << digit_bits;
constexpr int warps = 8;
constexpr int threads = warps * warp_size;
constexpr int rounds = 8;  // of 32 endpoints, a warp and tile
constexpr std::int64_t warp_stretch = rounds * warp_size;
constexpr std::int64_t tile = warps * warp_stretch;
static_assert(threads == digits, "a thread has each digit");

/// What a pass sorts: at first the pairs themselves, later what the pass before has left.
struct Endpoints {
  const PointIndex* points;       // [count], or in the first pass first [count / 2]
  const PointIndex* second;       // [count / 2] in the first pass, else null
  const std::int64_t* endpoints;  // [count], or in the first pass null: their own numbers
  std::int64_t count;
  int shift;       // of the digit
  int own_digits;  // that points have there, from 0 on

  __device__ PointIndex point(std::int64_t i) const {
    return second == nullptr || i < count / 2 ? points[i] : second[i - count / 2];
  }
  __device__ std::int64_t endpoint(std::int64_t i) const {
    return endpoints == nullptr ? i : endpoints[i];
  }
};

/// Calls use(index, digit, peers) for this lane's endpoints of the warp's stretch, in order; peers
/// are the lanes of the round with the same digit. Lanes past the last endpoint are left out.
template <class Use>
__device__ void for_each_endpoint(const Endpoints& in, Use use) {
  const int lane = own_lane();
  const int warp = own_warp();
  const std::int64_t begin = blockIdx.x * tile + warp * warp_stretch;
  for (int round = 0; round < rounds; ++round) {
    const std::int64_t i = begin + round * warp_size + lane;
    const bool exists = i < in.count;
    const int digit = exists ? (in.point(i) >> in.shift) & (digits - 1) : digits;
    const unsigned peers = __match_any_sync(full_warp, digit);
    if (exists) use(i, digit, peers);
    __syncwarp();
  }
}

/// Counts the digits of each warp's stretch.
__device__ void count_digits(const Endpoints& in, int (&counts)[warps][digits]) {
  const int lane = own_lane();
  const int warp = own_warp();
  for (int digit = lane; digit < digits; digit += warp_size) counts[warp][digit] = 0;
  __syncwarp();
  for_each_endpoint(in, [&](std::int64_t, int digit, unsigned peers) {
    if (lane == __ffs(static_cast<int>(peers)) - 1) counts[warp][digit] += __popc(peers);
  });
}

/// The block's endpoints with the thread's digit.
__device__ int block_count(const int (&counts)[warps][digits]) {
  int sum = 0;
  for (const auto& of_warp : counts) sum += of_warp[threadIdx.x];
  return sum;
}

__global__ void count_endpoints(const Endpoints in, std::int64_t* __restrict__ block_counts) {
  __shared__ int counts[warps][digits];
  count_digits(in, counts);
  __syncthreads();
  block_counts[threadIdx.x * static_cast<std::int64_t>(gridDim.x) + blockIdx.x] =
      block_count(counts);
}

struct BlockSums {
  std::int64_t before;  // over the threads before this one
  std::int64_t all;
};

/// Sums of `value` over a block, all of whose threads take part.
__device__ BlockSums block_sums(std::int64_t value) {
  __shared__ std::int64_t warp_sums[warps];
  const int lane = own_lane();
  const int warp = own_warp();
  std::int64_t sum = value;
  for (int offset = 1; offset < warp_size; offset *= 2) {
    const std::int64_t below = __shfl_up_sync(full_warp, sum, offset);
    if (lane >= offset) sum += below;
  }
  if (lane == warp_size - 1) warp_sums[warp] = sum;
  __syncthreads();
  BlockSums sums{sum - value, 0};
  for (int w = 0; w < warps; ++w) {
    if (w < warp) sums.before += warp_sums[w];
    sums.all += warp_sums[w];
  }
  __syncthreads();  // before the next call's sums
  return sums;
}

/// A block a digit that points have, its row of values [digits, count]: each becomes the sum of
/// those before it in the row, and the row's sum goes to totals [digits].
__global__ void scan_rows(std::int64_t* __restrict__ values, std::int64_t count,
                          std::int64_t* __restrict__ totals) {
  std::int64_t* const row = values + blockIdx.x * count;
  std::int64_t carry = 0;
  for (std::int64_t begin = 0; begin < count; begin += threads) {
    const std::int64_t i = begin + threadIdx.x;
    const BlockSums sums = block_sums(i < count ? row[i] : 0);
    if (i < count) row[i] = carry + sums.before;
    carry += sums.all;
  }
  if (threadIdx.x == 0) totals[blockIdx.x] = carry;
}

/// starts [digits, blocks]: where a block's endpoints of a digit begin among the digit's, of which
/// there are totals [digits]. A block that is alone reads neither.
__global__ void scatter_endpoints(const Endpoints in, const std::int64_t* __restrict__ starts,
                                  const std::int64_t* __restrict__ totals,
                                  PointIndex* __restrict__ points,
                                  std::int64_t* __restrict__ endpoints) {
  __shared__ int counts[warps][digits];
  __shared__ std::int64_t places[warps][digits];  // where a warp's next endpoint of a digit goes
  count_digits(in, counts);
  __syncthreads();
  const bool alone = gridDim.x == 1;
  const bool exists = static_cast<int>(threadIdx.x) < in.own_digits;
  std::int64_t place = block_sums(alone    ? block_count(counts)
                                  : exists ? totals[threadIdx.x]
                                           : 0)
                           .before;
  if (!alone && exists) {
    place += starts[threadIdx.x * static_cast<std::int64_t>(gridDim.x) + blockIdx.x];
  }
  for (int warp = 0; warp < warps; ++warp) {
    places[warp][threadIdx.x] = place;
    place += counts[warp][threadIdx.x];
  }
  __syncthreads();

  const int lane = own_lane();
  std::int64_t* const next = places[threadIdx.x / warp_size];
  for_each_endpoint(in, [&](std::int64_t i, int digit, unsigned peers) {
    const unsigned below = peers & ((1U << lane) - 1);
    const std::int64_t to = next[digit] + __popc(below);
    points[to] = in.point(i);
    endpoints[to] = in.endpoint(i);
    __syncwarp(peers);  // all have read next[digit]
    if (below == 0) next[digit] += __popc(peers);
  });
}

/// Digits of the largest index, at least one: a pass also lists the endpoints.
int passes_for(std::int64_t points) {
  const auto bits = std::bit_width(static_cast<std::uint64_t>(points > 1 ? points - 1 : 1));
  return static_cast<int>(ceil_div(static_cast<std::int64_t>(bits), digit_bits));
}

}  // namespace

EndpointSort::EndpointSort(std::int64_t points, std::int64_t pairs)
    : points_(points),
      pairs_(pairs),
      passes_(passes_for(points)),
      blocks_(ceil_div(2 * pairs, tile)) {
  for (int side = 0; side < 2; ++side) {
    point_[side] = Buffer<PointIndex>(Device::cuda, 2 * pairs);
    endpoint_[side] = Buffer<std::int64_t>(Device::cuda, 2 * pairs);
  }
  starts_ = Buffer<std::int64_t>(Device::cuda, digits * blocks_);
  totals_ = Buffer<std::int64_t>(Device::cuda, digits);
}

void EndpointSort::launch(const PointIndex* first, const PointIndex* second,
                          cudaStream_t stream) const {
  if (pairs_ == 0) return;
  const unsigned blocks = tile_blocks(blocks_, "the sort of pairs by their points");
  for (int pass = 0; pass < passes_; ++pass) {
    const int from = pass % 2;
    const int shift = pass * digit_bits;
    const auto own_digits = static_cast<int>(
        std::min<std::int64_t>(ceil_div(points_, std::int64_t{1} << shift), digits));
    const Endpoints in = pass == 0
                             ? Endpoints{first, second, nullptr, 2 * pairs_, shift, own_digits}
                             : Endpoints{point_[from].data(), nullptr, endpoint_[from].data(),
                                         2 * pairs_,          shift,   own_digits};
    if (blocks > 1) {
      count_endpoints<<<blocks, threads, 0, stream>>>(in, starts_.data());
      SIAMESE_CHECK_LAUNCH("count_endpoints");
      scan_rows<<<static_cast<unsigned>(own_digits), threads, 0, stream>>>(starts_.data(), blocks_,
                                                                           totals_.data());
      SIAMESE_CHECK_LAUNCH("scan_rows");
    }
    scatter_endpoints<<<blocks, threads, 0, stream>>>(
        in, starts_.data(), totals_.data(), point_[1 - from].data(), endpoint_[1 - from].data());
    SIAMESE_CHECK_LAUNCH("scatter_endpoints");
  }
}

}  // namespace siamese::cuda

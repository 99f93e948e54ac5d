#include <algorithm>

#include "kernels/cpu/dense_tile.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/shared_loss.h"
#include "kernels/cpu/simd/dispatch.h"
#include "kernels/cpu/variants.h"
#include "kernels/cpu/work.h"
#include "kernels/ops.h"
#include "kernels/variant.h"

// Rung 1 of distance_loss and all_pairs_loss, "tiled": a vector of pairs at a time in one pass, the
// pairs shared out to threads. The rung below writes a block of pairs to memory for each
// expression.

namespace siamese {
namespace {

template <class T>
TiledKernels<T> chosen_kernels() {
  return for_chosen_isa([]<Isa isa>() { return tiled_kernels<isa, T>(); });
}

/// Copies this thread's share of contiguous embeddings into padded rows.
template <class T>
void copy_in_share(const T* embeddings, std::int64_t points, std::int64_t width, TileView<T> to,
                   Team team) {
  const Team::Range share = team.share(points, tile_row_multiple);
  copy_in(embeddings + share.begin * width, share.end - share.begin, width,
          to.from_row(share.begin));
}

template <class T>
class TiledDenseLoss {
 public:
  explicit TiledDenseLoss(const DistanceLossArgs<T>& args)
      : args_(args),
        threads_(threads_for_pairs(args.pairs.count)),
        stride_(padded_stride<T>(args.width)),
        embeddings_(Device::cpu, threads_ * points_per_tile * stride_),
        gradient_(Device::cpu, threads_ * points_per_tile * stride_),
        kernels_(chosen_kernels<T>()),
        merges_(args.loss.distance, args.width, threads_),
        costs_(threads_) {}

  void run() {
    const std::int64_t m = args_.pairs.count;
    int threads = 1;
    parallel(threads_, [&](Team team) {
      const Team::Range share = team.share(m, pairs_per_tile);
      const Merge<T> merge = merges_.begin(team.index(), args_.merge);
      double sum = 0.0;
      for (std::int64_t begin = share.begin; begin < share.end; begin += pairs_per_tile) {
        sum += tile(begin, std::min(pairs_per_tile, share.end - begin), merge, team.index());
      }
      costs_.set(team.index(), sum);
      if (team.index() == 0) threads = team.size();
    });
    *args_.loss_value = costs_.mean(threads, m);
    std::copy_n(merges_.sum(threads), merges_.count(), args_.merge_gradient);
  }

 private:
  double tile(std::int64_t begin, std::int64_t pairs, Merge<T> merge, int thread) const {
    const std::int64_t m = args_.pairs.count;
    const std::int64_t width = args_.width;
    const TileView<T> e{embeddings_.data() + thread * points_per_tile * stride_, stride_};
    const TileView<T> g{gradient_.data() + thread * points_per_tile * stride_, stride_};
    copy_in(args_.embeddings + begin * width, pairs, width, e);
    copy_in(args_.embeddings + (m + begin) * width, pairs, width, e.from_row(pairs));
    std::fill_n(g.data, 2 * pairs * stride_, T(0));
    const DenseTileRows rows(pairs);
    const double sum =
        kernels_.pair_loss(args_.loss, width, rows.rows(pairs, args_.pairs.targets + begin),
                           static_cast<T>(mean_weight(m)), e, g, merge);
    copy_out<T>(g, pairs, width, args_.gradient + begin * width);
    copy_out<T>(g.from_row(pairs), pairs, width, args_.gradient + (m + begin) * width);
    return sum;
  }

  DistanceLossArgs<T> args_;
  int threads_;
  std::int64_t stride_;
  Buffer<T> embeddings_, gradient_;  // [threads, points_per_tile, stride]
  TiledKernels<T> kernels_;
  ThreadMerges<T> merges_;
  CostSums costs_;
};

template <class T>
class TiledListedLoss {
 public:
  explicit TiledListedLoss(const DistanceLossArgs<T>& args)
      : args_(args),
        threads_(threads_for_pairs(args.pairs.count)),
        stride_(padded_stride<T>(args.width)),
        embeddings_(Device::cpu, args.points * stride_),
        kernels_(chosen_kernels<T>()),
        loss_(args.points, args.width, threads_),
        merges_(args.loss.distance, args.width, threads_),
        costs_(threads_) {}

  void run() {
    const TileView<T> e{embeddings_.data(), stride_};
    int threads = 1;
    parallel(threads_, [&](Team team) {
      copy_in_share(args_.embeddings, args_.points, args_.width, e, team);
      team.barrier();
      costs_.set(team.index(), loss_.run(kernels_, args_.loss, args_.points, args_.pairs, e,
                                         merges_.begin(team.index(), args_.merge), team));
      team.barrier();
      const Team::Range rows = team.share(args_.points);
      loss_.gradient_rows(rows.begin, rows.end - rows.begin, team.size(),
                          {args_.gradient + rows.begin * args_.width, args_.width});
      if (team.index() == 0) threads = team.size();
    });
    *args_.loss_value = costs_.mean(threads, args_.pairs.count);
    std::copy_n(merges_.sum(threads), merges_.count(), args_.merge_gradient);
  }

 private:
  DistanceLossArgs<T> args_;
  int threads_;
  std::int64_t stride_;
  Buffer<T> embeddings_;  // [points, stride]
  TiledKernels<T> kernels_;
  ListedLoss<T> loss_;
  ThreadMerges<T> merges_;
  CostSums costs_;
};

template <class T>
class TiledAllPairsLoss {
 public:
  explicit TiledAllPairsLoss(const AllPairsLossArgs<T>& args)
      : args_(args),
        pairs_(args.points * (args.points - 1) / 2),
        threads_(threads_for_pairs(pairs_)),
        kernels_(chosen_kernels<T>()),
        loss_(args.points, args.width, args.coordinate_width, threads_),
        merges_(args.loss.distance, args.width, threads_),
        costs_(threads_) {}

  void run() {
    int threads = 1;
    parallel(threads_, [&](Team team) {
      costs_.set(team.index(),
                 loss_.run(kernels_, args_.loss, args_.coordinates, {args_.embeddings, args_.width},
                           merges_.begin(team.index(), args_.merge), team));
      team.barrier();
      const Team::Range rows = team.share(args_.points);
      loss_.gradient_rows(rows.begin, rows.end - rows.begin, team.size(),
                          {args_.gradient + rows.begin * args_.width, args_.width});
      if (team.index() == 0) threads = team.size();
    });
    *args_.loss_value = costs_.mean(threads, pairs_);
    std::copy_n(merges_.sum(threads), merges_.count(), args_.merge_gradient);
  }

 private:
  AllPairsLossArgs<T> args_;
  std::int64_t pairs_;
  int threads_;
  TiledKernels<T> kernels_;
  AllPairsLoss<T> loss_;
  ThreadMerges<T> merges_;
  CostSums costs_;
};

template <class T>
Launch prepare_distance_loss(const DistanceLossArgs<T>& args) {
  if (args.pairs.form == PairForm::dense) return launch_of<TiledDenseLoss<T>>(args);
  return launch_of<TiledListedLoss<T>>(args);
}

template <class T>
struct RegisterTiledLosses {
  Register<DistanceLossArgs<T>> distance_loss{
      {"tiled", Device::cpu, precision_of<T>, 1, listed_pairs<T>, prepare_distance_loss<T>}};
  Register<AllPairsLossArgs<T>> all_pairs_loss{
      {"tiled", Device::cpu, precision_of<T>, 1, any_shape<AllPairsLossArgs<T>>,
       launch_of<TiledAllPairsLoss<T>, AllPairsLossArgs<T>>}};
};

const RegisterTiledLosses<float> register_float32;
const RegisterTiledLosses<double> register_float64;

}  // namespace
}  // namespace siamese

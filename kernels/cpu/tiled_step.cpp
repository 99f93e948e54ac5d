#include "kernels/cpu/tiled_step.h"

#include <algorithm>

#include "kernels/cpu/dense_tile.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/work.h"

namespace siamese {
namespace {

template <class T>
int threads_for_step(const TrainStepArgs<T>& args) {
  const double flops =
      forward_flops(*args.network, args.points) + backward_flops(*args.network, args.points);
  return std::max(threads_for_flops(flops), threads_for_pairs(args.pairs.count));
}

template <class T>
Tiling tiling_for_step(const TrainStepArgs<T>& args, int threads) {
  if (args.pairs.form == PairForm::dense) {
    return Tiling(args.pairs.count, pairs_per_tile, tile_row_multiple / 2, threads);
  }
  return Tiling(args.points, points_per_tile, tile_row_multiple, threads);
}

}  // namespace

template <class T>
TiledStep<T>::TiledStep(const TrainStepArgs<T>& most, int threads)
    : form_(most.pairs.form),
      threads_(std::min(threads_for_step(most), threads)),
      tile_size_(tiling_for_step(most, threads_).size),
      network_(*most.network, TiledNetwork<T>::Passes::both,
               form_ == PairForm::dense ? 2 * tile_size_ : tile_size_,
               form_ == PairForm::dense ? threads_ : tiling_for_step(most, threads_).count(),
               threads_),
      merges_(most.loss.distance, most.network->embedding_width(), threads_),
      costs_(threads_) {
  const std::int64_t width = most.network->embedding_width();
  if (form_ == PairForm::indexed) listed_.emplace(most.points, width, threads_);
  if (form_ == PairForm::all) {
    all_.emplace(most.points, width, most.pairs.coordinate_width, threads_);
  }
}

template <class T>
void TiledStep<T>::run(const TrainStepArgs<T>& args) {
  const AdamStep step = adam_step(args.adam, ++*args.step);
  const std::int64_t merge_offset = args.network->parameter_count();
  int threads = 1;
  parallel(threads_, [&](Team team) {
    network_.pack(args.parameters, team);
    network_.begin_gradients(team.index());
    team.barrier();
    const Merge<T> merge = merges_.begin(team.index(), args.parameters + merge_offset);
    const double sum =
        form_ == PairForm::dense ? run_dense(args, merge, team) : run_shared(args, merge, team);
    costs_.set(team.index(), sum);
    if (team.index() == 0) threads = team.size();
    team.barrier();
    const auto update = [&](std::int64_t offset, std::int64_t count, const T* gradients) {
      network_.kernels().adam(args.adam, step, count, gradients, args.parameters + offset,
                              args.m + offset, args.v + offset);
    };
    network_.reduce(team, update);
    if (team.index() == 0 && merges_.count() > 0) {
      update(merge_offset, merges_.count(), merges_.sum(team.size()));
    }
  });
  *args.loss_value = costs_.mean(threads, args.pairs.count);
}

template <class T>
double TiledStep<T>::run_dense(const TrainStepArgs<T>& args, Merge<T> merge, Team team) const {
  const Team::Range share = team.share(args.pairs.count, tile_size_);
  double sum = 0.0;
  for (std::int64_t begin = share.begin; begin < share.end; begin += tile_size_) {
    sum += dense_tile(args, begin, std::min(tile_size_, share.end - begin), merge, team.index());
  }
  return sum;
}

template <class T>
double TiledStep<T>::dense_tile(const TrainStepArgs<T>& args, std::int64_t begin,
                                std::int64_t pairs, Merge<T> merge, int thread) const {
  const std::int64_t m = args.pairs.count;
  const std::int64_t inputs = args.network->input_width();
  const TileView<T> x = network_.activations(thread, 0);
  copy_in(args.x + begin * inputs, pairs, inputs, x);
  copy_in(args.x + (m + begin) * inputs, pairs, inputs, x.from_row(pairs));
  network_.forward(thread, 2 * pairs);
  const TileView<T> g = network_.embedding_gradient(thread);
  std::fill_n(g.data, 2 * pairs * g.stride, T(0));
  const DenseTileRows rows(pairs);
  const double sum = network_.kernels().pair_loss(
      args.loss, args.network->embedding_width(), rows.rows(pairs, args.pairs.targets + begin),
      static_cast<T>(mean_weight(m)), network_.embeddings(thread), g, merge);
  network_.backward(thread, 2 * pairs, thread);
  return sum;
}

template <class T>
double TiledStep<T>::run_shared(const TrainStepArgs<T>& args, Merge<T> merge, Team team) const {
  const std::int64_t inputs = args.network->input_width();
  const Team::Range points = team.share(args.points, tile_size_);
  const auto for_tiles = [&](auto use) {
    for (std::int64_t begin = points.begin; begin < points.end; begin += tile_size_) {
      use(begin / tile_size_, begin, std::min(tile_size_, points.end - begin));
    }
  };

  for_tiles([&](std::int64_t tile, std::int64_t begin, std::int64_t rows) {
    copy_in(args.x + begin * inputs, rows, inputs, network_.activations(tile, 0));
    network_.forward(tile, rows);
  });
  team.barrier();
  const TileView<const T> embeddings = network_.embeddings(0);
  const double sum = form_ == PairForm::all
                         ? all_->run(network_.kernels(), args.loss, args.pairs.coordinates,
                                     embeddings, merge, team)
                         : listed_->run(network_.kernels(), args.loss, args.points, args.pairs,
                                        embeddings, merge, team);
  team.barrier();
  for_tiles([&](std::int64_t tile, std::int64_t begin, std::int64_t rows) {
    const TileView<T> g = network_.embedding_gradient(team.index());
    if (form_ == PairForm::all) {
      all_->gradient_rows(begin, rows, team.size(), g);
    } else {
      listed_->gradient_rows(begin, rows, team.size(), g);
    }
    network_.backward(tile, rows, team.index());
  });
  return sum;
}

template class TiledStep<float>;
template class TiledStep<double>;

}  // namespace siamese

#include "kernels/cpu/shared_loss.h"

#include <algorithm>

#include "model/pairs.h"

namespace siamese {

template <class T>
ThreadMerges<T>::ThreadMerges(Distance distance, std::int64_t width, int threads)
    : count_(merge_parameters(distance, width)),
      stride_(count_ > 0 ? padded_stride<T>(width + 1) : 0),
      parameters_(Device::cpu, threads * stride_),
      gradients_(Device::cpu, threads * stride_) {
  std::fill_n(parameters_.data(), parameters_.size(), T(0));
}

template <class T>
Merge<T> ThreadMerges<T>::begin(int thread, const T* parameters) const {
  T* const own = parameters_.data() + thread * stride_;
  T* const gradient = gradients_.data() + thread * stride_;
  std::copy_n(parameters, count_, own);
  std::fill_n(gradient, stride_, T(0));
  return {own, gradient};
}

template <class T>
const T* ThreadMerges<T>::sum(int threads) const {
  T* const sums = gradients_.data();
  for (int thread = 1; thread < threads; ++thread) {
    const T* const others = gradients_.data() + thread * stride_;
    for (std::int64_t k = 0; k < count_; ++k) sums[k] += others[k];
  }
  return sums;
}

template <class T>
ListedLoss<T>::ListedLoss(std::int64_t most_points, std::int64_t width, int threads)
    : most_points_(most_points),
      width_(width),
      stride_(padded_stride<T>(width)),
      gradients_(Device::cpu, threads * most_points_ * stride_) {}

template <class T>
double ListedLoss<T>::run(const TiledKernels<T>& kernels, const Loss& loss, std::int64_t points,
                          const Pairs<T>& pairs, TileView<const T> embeddings, Merge<T> merge,
                          Team team) const {
  T* const g = gradient(team.index());
  std::fill_n(g, points * stride_, T(0));
  const Team::Range share = team.share(pairs.count, 16);
  return kernels.pair_loss(loss, width_,
                           {share.end - share.begin, pairs.first + share.begin,
                            pairs.second + share.begin, pairs.targets + share.begin},
                           static_cast<T>(mean_weight(pairs.count)), embeddings, {g, stride_},
                           merge);
}

template <class T>
void ListedLoss<T>::gradient_rows(std::int64_t begin, std::int64_t rows, int threads,
                                  TileView<T> g) const {
  for (std::int64_t row = 0; row < rows; ++row) {
    T* const to = g.data + row * g.stride;
    std::copy_n(gradient(0) + (begin + row) * stride_, width_, to);
    for (int thread = 1; thread < threads; ++thread) {
      const T* const from = gradient(thread) + (begin + row) * stride_;
      for (std::int64_t k = 0; k < width_; ++k) to[k] += from[k];
    }
  }
}

template <class T>
AllPairsLoss<T>::AllPairsLoss(std::int64_t points, std::int64_t width,
                              std::int64_t coordinate_width, int threads)
    : points_(points),
      width_(width),
      coordinate_width_(coordinate_width),
      stride_(padded_stride<T>(points)),
      embeddings_(Device::cpu, width * stride_),
      coordinates_(Device::cpu, coordinate_width * stride_),
      inverse_norms_(Device::cpu, stride_),
      gradients_(Device::cpu, threads * width * stride_) {
  // The columns beyond the last point are never written again.
  for (const Buffer<T>* buffer : {&embeddings_, &coordinates_, &inverse_norms_}) {
    std::fill_n(buffer->data(), buffer->size(), T(0));
  }
}

template <class T>
double AllPairsLoss<T>::run(const TiledKernels<T>& kernels, const Loss& loss, const T* coordinates,
                            TileView<const T> embeddings, Merge<T> merge, Team team) const {
  const Team::Range points = team.share(points_, 16);
  const std::int64_t count = points.end - points.begin;
  kernels.to_feature_major(count, width_, embeddings.from_row(points.begin).data, embeddings.stride,
                           {embeddings_.data() + points.begin, stride_},
                           inverse_norms_.data() + points.begin);
  kernels.to_feature_major(count, coordinate_width_, coordinates + points.begin * coordinate_width_,
                           coordinate_width_, {coordinates_.data() + points.begin, stride_},
                           nullptr);
  T* const g = gradient(team.index());
  std::fill_n(g, width_ * stride_, T(0));
  team.barrier();

  const AllPairsTask<T> task{loss,
                             points_,
                             width_,
                             coordinate_width_,
                             {embeddings_.data(), stride_},
                             {coordinates_.data(), stride_},
                             inverse_norms_.data(),
                             static_cast<T>(mean_weight(points_ * (points_ - 1) / 2)),
                             merge};
  // A point has the fewer pairs the later it comes; dealing blocks of points out forwards, then
  // backwards, gives every thread as many pairs.
  constexpr std::int64_t block = 16;
  double sum = 0.0;
  for (std::int64_t b = 0; b * block < points_; ++b) {
    const std::int64_t round = b / team.size();
    const std::int64_t place = b % team.size();
    const std::int64_t dealt_to = round % 2 == 0 ? place : team.size() - 1 - place;
    if (dealt_to != team.index()) continue;
    sum += kernels.all_pairs_loss(task, b * block, std::min((b + 1) * block, points_), g);
  }
  return sum;
}

template <class T>
void AllPairsLoss<T>::gradient_rows(std::int64_t begin, std::int64_t rows, int threads,
                                    TileView<T> g) const {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t k = 0; k < width_; ++k) {
      T sum = T(0);
      for (int thread = 0; thread < threads; ++thread) {
        sum += gradient(thread)[k * stride_ + begin + row];
      }
      g.data[row * g.stride + k] = sum;
    }
  }
}

template class ThreadMerges<float>;
template class ThreadMerges<double>;
template class ListedLoss<float>;
template class ListedLoss<double>;
template class AllPairsLoss<float>;
template class AllPairsLoss<double>;

}  // namespace siamese

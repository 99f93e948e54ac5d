#pragma once

#include <cstdint>
#include <optional>

#include "kernels/cpu/shared_loss.h"
#include "kernels/cpu/tiled_network.h"
#include "kernels/ops.h"

namespace siamese {

/// Training steps of one network, fused: one team of threads packs the weights, takes tiles of
/// points through forward, loss and backward, and updates the parameters from the threads'
/// gradients. Dense pairs bring their points with them, so a tile of them goes all the way while it
/// is in cache; points shared between pairs are forwarded once, wait for the loss, and are
/// back-propagated once.
template <class T>
class TiledStep {
 public:
  /// For steps like `most`, with as many points and pairs or fewer, on at most `threads` threads.
  TiledStep(const TrainStepArgs<T>& most, int threads);

  /// One step; `args` has the network, the loss, the form of pairs and the coordinate width given
  /// before.
  void run(const TrainStepArgs<T>& args);

 private:
  double run_dense(const TrainStepArgs<T>& args, Merge<T> merge, Team team) const;
  double run_shared(const TrainStepArgs<T>& args, Merge<T> merge, Team team) const;
  double dense_tile(const TrainStepArgs<T>& args, std::int64_t begin, std::int64_t pairs,
                    Merge<T> merge, int thread) const;

  PairForm form_;
  int threads_;
  std::int64_t tile_size_;  // in pairs if dense, in points if not
  TiledNetwork<T> network_;
  std::optional<ListedLoss<T>> listed_;
  std::optional<AllPairsLoss<T>> all_;
  ThreadMerges<T> merges_;
  CostSums costs_;
};

}  // namespace siamese

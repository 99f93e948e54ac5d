#include <algorithm>

#include "kernels/cpu/rows.h"
#include "kernels/cpu/tiled_network.h"
#include "kernels/cpu/variants.h"
#include "kernels/cpu/work.h"
#include "kernels/ops.h"
#include "kernels/variant.h"

// Rung 1 of pair_forward and pair_backward, "tiled": a tile of points goes through all layers while
// its activations are in the L2 cache, and every product ends in what follows it. The rung below
// makes a pass over memory for each product, each bias and each activation.

namespace siamese {
namespace {

template <class T>
class TiledForward {
 public:
  explicit TiledForward(const PairForwardArgs<T>& args)
      : args_(args),
        threads_(threads_for_flops(forward_flops(*args.network, args.points))),
        tiling_(args.points, points_per_tile, tile_row_multiple, threads_),
        network_(*args.network, TiledNetwork<T>::Passes::forward, tiling_.size, threads_,
                 threads_) {}

  void run() const {
    parallel(threads_, [&](Team team) {
      network_.pack(args_.parameters, team);
      team.barrier();
      const Team::Range tiles = team.share(tiling_.count());
      for (std::int64_t tile = tiles.begin; tile < tiles.end; ++tile) {
        forward(team.index(), tiling_.begin(tile), tiling_.length(tile));
      }
    });
  }

 private:
  void forward(int slot, std::int64_t begin, std::int64_t rows) const {
    const auto& layers = network_.network().layers();
    const std::int64_t inputs = network_.network().input_width();
    copy_in(args_.x + begin * inputs, rows, inputs, network_.activations(slot, 0));
    network_.forward(slot, rows);
    T* hidden = args_.hidden;
    for (std::size_t l = 1; l <= layers.size(); ++l) {
      const std::int64_t width = layers[l - 1].outputs;
      T* const to = l == layers.size() ? args_.embeddings : hidden;
      copy_out<T>(network_.activations(slot, l), rows, width, to + begin * width);
      hidden += args_.points * width;
    }
  }

  PairForwardArgs<T> args_;
  int threads_;
  Tiling tiling_;
  TiledNetwork<T> network_;
};

template <class T>
class TiledBackward {
 public:
  explicit TiledBackward(const PairBackwardArgs<T>& args)
      : args_(args),
        threads_(threads_for_flops(backward_flops(*args.network, args.points))),
        tiling_(args.points, points_per_tile, tile_row_multiple, threads_),
        network_(*args.network, TiledNetwork<T>::Passes::backward, tiling_.size, threads_,
                 threads_) {}

  void run() const {
    parallel(threads_, [&](Team team) {
      network_.pack(args_.parameters, team);
      network_.begin_gradients(team.index());
      team.barrier();
      const Team::Range tiles = team.share(tiling_.count());
      for (std::int64_t tile = tiles.begin; tile < tiles.end; ++tile) {
        backward(team.index(), tiling_.begin(tile), tiling_.length(tile));
      }
      team.barrier();
      network_.reduce(team, [&](std::int64_t offset, std::int64_t count, const T* sums) {
        std::copy_n(sums, count, args_.gradients + offset);
      });
    });
  }

 private:
  void backward(int slot, std::int64_t begin, std::int64_t rows) const {
    const auto& layers = network_.network().layers();
    const T* from = args_.x;
    std::int64_t width = network_.network().input_width();
    for (std::size_t l = 0; l < layers.size(); ++l) {
      copy_in(from + begin * width, rows, width, network_.activations(slot, l));
      from = l == 0 ? args_.hidden : from + args_.points * width;
      width = layers[l].outputs;
    }
    copy_in(args_.embeddings + begin * width, rows, width, network_.embeddings(slot));
    copy_in(args_.gradient + begin * width, rows, width, network_.embedding_gradient(slot));
    network_.backward(slot, rows, slot);
  }

  PairBackwardArgs<T> args_;
  int threads_;
  Tiling tiling_;
  TiledNetwork<T> network_;
};

template <class T>
struct RegisterTiledLayers {
  Register<PairForwardArgs<T>> pair_forward{{"tiled", Device::cpu, precision_of<T>, 1,
                                             any_shape<PairForwardArgs<T>>,
                                             launch_of<TiledForward<T>, PairForwardArgs<T>>}};
  Register<PairBackwardArgs<T>> pair_backward{{"tiled", Device::cpu, precision_of<T>, 1,
                                               any_shape<PairBackwardArgs<T>>,
                                               launch_of<TiledBackward<T>, PairBackwardArgs<T>>}};
};

const RegisterTiledLayers<float> register_float32;
const RegisterTiledLayers<double> register_float64;

}  // namespace
}  // namespace siamese

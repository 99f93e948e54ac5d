#include "kernels/cpu/simd/dispatch.h"
#include "kernels/cpu/simd/tiled.h"
#include "kernels/cpu/variants.h"
#include "kernels/cpu/work.h"
#include "kernels/ops.h"
#include "kernels/variant.h"

// Rung 1 of adam, "tiled": one pass over the four buffers instead of the rung below's three, shared
// out to threads, with denormal moments flushed to 0.

namespace siamese {
namespace {

template <class T>
class TiledAdam {
 public:
  explicit TiledAdam(const AdamArgs<T>& args)
      : args_(args),
        threads_(threads_for(static_cast<double>(args.count), least_updates_a_thread)),
        update_(for_chosen_isa([]<Isa isa>() { return tiled_kernels<isa, T>(); }).adam) {}

  void run() const {
    const AdamStep step = adam_step(args_.adam, ++*args_.step);
    parallel(threads_, [&](Team team) {
      const Team::Range share = team.share(args_.count, 16);
      update_(args_.adam, step, share.end - share.begin, args_.gradients + share.begin,
              args_.parameters + share.begin, args_.m + share.begin, args_.v + share.begin);
    });
  }

 private:
  AdamArgs<T> args_;
  int threads_;
  decltype(TiledKernels<T>::adam) update_;
};

template <class T>
struct RegisterTiledAdam {
  Register<AdamArgs<T>> adam{{"tiled", Device::cpu, precision_of<T>, 1, any_shape<AdamArgs<T>>,
                              launch_of<TiledAdam<T>, AdamArgs<T>>}};
};

const RegisterTiledAdam<float> register_float32;
const RegisterTiledAdam<double> register_float64;

}  // namespace
}  // namespace siamese

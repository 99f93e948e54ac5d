#pragma once

#include "kernels/cpu/gemm.h"
#include "kernels/cpu/isa.h"
#include "kernels/ops.h"

namespace siamese {

/// The plain Eigen kernels of one scalar type, as one instruction set's build has them. Products
/// are made by `gemm`, or by Eigen where it is null.
template <class T>
struct EigenKernels {
  void (*pair_forward)(const PairForwardArgs<T>&, GemmFunction<T> gemm);
  void (*distance_loss)(const DistanceLossArgs<T>&);
  void (*all_pairs_loss)(const AllPairsLossArgs<T>&);
  /// `workspace` holds 2 x points x (the widest layer's outputs) elements.
  void (*pair_backward)(const PairBackwardArgs<T>&, T* workspace, GemmFunction<T> gemm);
  void (*adam)(const AdamArgs<T>&);
};

template <Isa isa, class T>
EigenKernels<T> eigen_kernels();

}  // namespace siamese

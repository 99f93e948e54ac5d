#pragma once

#include <string>

#include "kernels/cublas/blas.h"
#include "kernels/cuda/variant_parts.h"
#include "kernels/ops.h"
#include "kernels/variant.h"

namespace siamese::cublas {

/// Registers rung 0 of an op of layers, in each precision that cuBLAS has products in.
/// `prepare(args, precision)` plans the launch.
template <class Args>
class RegisterProducts {
 public:
  RegisterProducts(const std::string& name, Launch (*prepare)(const Args&, Precision))
      : float32_(variant(name, Precision::float32, prepare)),
        tf32_(variant(name, Precision::tf32, prepare)),
        bf16_(variant(name, Precision::bf16, prepare)) {}

 private:
  static Variant<Args> variant(const std::string& name, Precision precision,
                               Launch (*prepare)(const Args&, Precision)) {
    return {.name = name,
            .device = Device::cuda,
            .precision = precision,
            .rung = 0,
            .why_unsupported = [](const Args& args) { return why_too_many(args.points); },
            .prepare =
                [=](const Args& args) {
                  return cuda::traced(args, name, precision, prepare(args, precision));
                }};
  }

  Register<Args> float32_;
  Register<Args> tf32_;
  Register<Args> bf16_;
};

}  // namespace siamese::cublas

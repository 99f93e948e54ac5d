#include "kernels/cpu/simd/eigen.h"

#include <Eigen/Core>

#include "kernels/cpu/simd/eigen_loss.h"
#include "model/parameters.h"

// Rung 0: what an informed user writes with Eigen. Matrix products are Eigen's, threaded by its
// OpenMP, or a BLAS's; everything else is array expressions on whole matrices, a pass over memory
// each.

namespace siamese {
namespace {

template <class T>
using MatrixMap = Eigen::Map<RowMajor<T>>;
template <class T>
using ConstMatrixMap = Eigen::Map<const RowMajor<T>>;
template <class T>
using RowMap = Eigen::Map<Eigen::Matrix<T, 1, Eigen::Dynamic>>;
template <class T>
using ConstRowMap = Eigen::Map<const Eigen::Matrix<T, 1, Eigen::Dynamic>>;

/// h = act(z) in place. A NaN passes through each of them.
template <class T>
void activate(Activation activation, MatrixMap<T> z) {
  switch (activation) {
    case Activation::linear:
      return;
    case Activation::relu:
      z = (z.array() < T(0)).select(T(0), z);
      return;
    case Activation::sigmoid:
      z = z.array().logistic();
      return;
    case Activation::tanh:
      z = z.array().tanh();
      return;
  }
}

/// dz = dh * act'(z) in place, told from h = act(z).
template <class T>
void multiply_by_derivative(Activation activation, ConstMatrixMap<T> h, MatrixMap<T> dh) {
  switch (activation) {
    case Activation::linear:
      return;
    case Activation::relu:
      dh.array() *= (h.array() > T(0)).template cast<T>();
      return;
    case Activation::sigmoid:
      dh.array() *= h.array() * (T(1) - h.array());
      return;
    case Activation::tanh:
      dh.array() *= T(1) - h.array().square();
      return;
  }
}

template <class T>
void multiply(const Gemm<T>& g, GemmFunction<T> gemm) {
  if (gemm != nullptr) return gemm(g);
  const auto stored = [](const T* data, std::int64_t rows, std::int64_t columns, bool transposed) {
    return transposed ? ConstMatrixMap<T>(data, columns, rows)
                      : ConstMatrixMap<T>(data, rows, columns);
  };
  const ConstMatrixMap<T> a = stored(g.a, g.rows, g.depth, g.a_transposed);
  const ConstMatrixMap<T> b = stored(g.b, g.depth, g.columns, g.b_transposed);
  MatrixMap<T> c(g.c, g.rows, g.columns);
  if (g.a_transposed) {
    c.noalias() = a.transpose() * b;
  } else if (g.b_transposed) {
    c.noalias() = a * b.transpose();
  } else {
    c.noalias() = a * b;
  }
}

template <class T>
void pair_forward(const PairForwardArgs<T>& args, GemmFunction<T> gemm) {
  const T* input = args.x;
  T* hidden = args.hidden;
  const auto& layers = args.network->layers();
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Layer& layer = layers[l];
    const LayerView<const T> p = view(layer, args.parameters);
    T* const output = l + 1 == layers.size() ? args.embeddings : hidden;
    multiply<T>({.rows = args.points,
                 .columns = layer.outputs,
                 .depth = layer.inputs,
                 .a = input,
                 .a_transposed = false,
                 .b = p.weights,
                 .b_transposed = false,
                 .c = output},
                gemm);
    MatrixMap<T> z(output, args.points, layer.outputs);
    z.rowwise() += ConstRowMap<T>(p.bias, layer.outputs);
    activate<T>(layer.activation, z);
    input = output;
    hidden += args.points * layer.outputs;
  }
}

template <class T>
void pair_backward(const PairBackwardArgs<T>& args, T* workspace, GemmFunction<T> gemm) {
  const Eigen::Index n = args.points;
  const auto& layers = args.network->layers();
  std::int64_t widest = 0;
  for (const Layer& layer : layers) widest = layer.outputs > widest ? layer.outputs : widest;
  T* current = workspace;
  T* next = workspace + n * widest;

  const T* output = args.embeddings;
  const T* hidden = args.hidden + n * args.network->hidden_width();  // the end of what is unread
  MatrixMap<T>(current, n, layers.back().outputs) =
      ConstMatrixMap<T>(args.gradient, n, layers.back().outputs);
  for (std::size_t l = layers.size(); l-- > 0;) {
    const Layer& layer = layers[l];
    if (l > 0) hidden -= n * layer.inputs;
    const T* const input = l > 0 ? hidden : args.x;
    MatrixMap<T> dz(current, n, layer.outputs);
    multiply_by_derivative<T>(layer.activation, ConstMatrixMap<T>(output, n, layer.outputs), dz);

    const LayerView<T> out = view(layer, args.gradients);
    multiply<T>({.rows = layer.inputs,
                 .columns = layer.outputs,
                 .depth = n,
                 .a = input,
                 .a_transposed = true,
                 .b = current,
                 .b_transposed = false,
                 .c = out.weights},
                gemm);
    RowMap<T>(out.bias, layer.outputs) = dz.colwise().sum();
    if (l > 0) {
      const T* const weights = view(layer, args.parameters).weights;
      multiply<T>({.rows = n,
                   .columns = layer.inputs,
                   .depth = layer.outputs,
                   .a = current,
                   .a_transposed = false,
                   .b = weights,
                   .b_transposed = true,
                   .c = next},
                  gemm);
    }
    T* const done = current;
    current = next;
    next = done;
    output = input;
  }
}

template <class T>
void adam(const AdamArgs<T>& args) {
  using Values = Eigen::Map<Column<T>>;
  const AdamStep step = adam_step(args.adam, ++*args.step);
  const Eigen::Map<const Column<T>> g(args.gradients, args.count);
  Values m(args.m, args.count);
  Values v(args.v, args.count);
  // By 1 - beta alone, for in float32 it and beta do not add up to 1.
  m += static_cast<T>(1.0 - args.adam.beta1) * (g - m);
  v += static_cast<T>(1.0 - args.adam.beta2) * (g.square() - v);
  Values(args.parameters, args.count) -=
      static_cast<T>(step.rate) * m /
      (v.sqrt() * static_cast<T>(step.v_scale) + static_cast<T>(args.adam.epsilon));
}

template <class T>
constexpr EigenKernels<T> kernels{pair_forward<T>, distance_loss<T>, all_pairs_loss<T>,
                                  pair_backward<T>, adam<T>};

}  // namespace

template <>
EigenKernels<float> eigen_kernels<Isa::SIAMESE_ISA, float>() {
  return kernels<float>;
}
template <>
EigenKernels<double> eigen_kernels<Isa::SIAMESE_ISA, double>() {
  return kernels<double>;
}

}  // namespace siamese

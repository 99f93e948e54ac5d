#include "verify/rounding.h"

#include <cmath>

#include "cpu_ref/backward.h"
#include "cpu_ref/forward.h"
#include "model/error.h"
#include "model/parameters.h"

namespace siamese::verify {
namespace {

using Matrix = ref::RowMatrix<double>;

constexpr double allowed = 8.0;  // standard deviations

// An error spread evenly over +-roundoff, of each of the two operands.
double product_variance(double roundoff) { return 2.0 * roundoff * roundoff / 3.0; }

// The derivative of act'(z) as a function of h.
double derivative_slope(Activation activation, double h) {
  switch (activation) {
    case Activation::linear:
    case Activation::relu:
      return 0.0;
    case Activation::sigmoid:
      return 1.0 - 2.0 * h;
    case Activation::tanh:
      return -2.0 * h;
  }
  throw UsageError("unknown activation");
}

Matrix slopes(const Layer& layer, const Matrix& h) {
  return h.unaryExpr([&](double v) { return ref::activation_derivative(layer.activation, v); });
}

}  // namespace

double operand_roundoff(Precision precision) {
  switch (precision) {
    case Precision::float64:
    case Precision::float32:
      return 0.0;
    case Precision::tf32x3:
      return 0x1p-21;  // the products that three TF32 multiplications leave out
    case Precision::tf32:
      return 0x1p-11;
    case Precision::bf16:
      return 0x1p-9;
  }
  throw UsageError("unknown precision");
}

std::vector<Matrix> round_forward(const Network& network, std::span<const double> parameters,
                                  const Matrix& x, double roundoff, Random& random) {
  const auto round = [&](double v) {
    return v * (1.0 + roundoff * (2.0 * random.uniform() - 1.0));
  };
  std::vector<Matrix> h;
  for (const Layer& layer : network.layers()) {
    const ref::LayerParameters<double> p(layer, parameters);
    const Matrix input = (h.empty() ? x : h.back()).unaryExpr(round);
    const Matrix z = (input * p.weights.unaryExpr(round)).rowwise() + p.bias;
    h.push_back(z.unaryExpr([&](double v) { return ref::activate(layer.activation, v); }));
  }
  return h;
}

ForwardErrors forward_errors(const Network& network, std::span<const double> parameters,
                             const Matrix& x, const std::vector<Matrix>& h, double roundoff) {
  if (roundoff == 0.0) return no_errors(h);
  ForwardErrors errors;
  Matrix variance = Matrix::Zero(x.rows(), x.cols());
  for (std::size_t l = 0; l < h.size(); ++l) {
    const Layer& layer = network.layers()[l];
    const ref::LayerParameters<double> p(layer, parameters);
    const Matrix& input = l == 0 ? x : h[l - 1];
    const Matrix z = (input * p.weights).rowwise() + p.bias;
    const Matrix of_z =
        (variance + product_variance(roundoff) * input.cwiseAbs2()) * p.weights.cwiseAbs2();
    const bool kinked = layer.activation == Activation::relu;
    errors.near_kink.push_back(z.binaryExpr(of_z, [&](double value, double v) {
      return kinked && value * value < allowed * allowed * v ? 1.0 : 0.0;
    }));
    variance = of_z.cwiseProduct(slopes(layer, h[l]).cwiseAbs2().cwiseMax(errors.near_kink[l]));
    errors.h.push_back(variance);
  }
  return errors;
}

ForwardErrors no_errors(const std::vector<Matrix>& h) {
  ForwardErrors errors;
  for (const Matrix& layer : h) errors.h.push_back(Matrix::Zero(layer.rows(), layer.cols()));
  errors.near_kink = errors.h;
  return errors;
}

std::vector<double> backward_variance(const Network& network, std::span<const double> parameters,
                                      const Matrix& x, const std::vector<Matrix>& h,
                                      const ForwardErrors& errors, const Matrix& gradient,
                                      double roundoff) {
  std::vector<double> variances(static_cast<std::size_t>(network.parameter_count()));
  if (roundoff == 0.0) return variances;
  const Matrix exact = Matrix::Zero(x.rows(), x.cols());
  Matrix dh = gradient;
  Matrix of_dh = Matrix::Zero(dh.rows(), dh.cols());
  for (std::size_t l = h.size(); l-- > 0;) {
    const Layer& layer = network.layers()[l];
    const Matrix slope = slopes(layer, h[l]);
    const Matrix bend =
        h[l].unaryExpr([&](double v) { return derivative_slope(layer.activation, v); });
    const Matrix squares = dh.cwiseProduct(slope).cwiseAbs2();  // of dz
    const Matrix of_dz = of_dh.cwiseProduct(slope.cwiseAbs2()) +
                         dh.cwiseProduct(bend).cwiseAbs2().cwiseProduct(errors.h[l]) +
                         (dh.cwiseAbs2() + of_dh).cwiseProduct(errors.near_kink[l]) / 9.0;
    const Matrix of_operand = of_dz + product_variance(roundoff) * squares;

    const Matrix& input = l == 0 ? x : h[l - 1];
    const Matrix& of_input = l == 0 ? exact : errors.h[l - 1];
    const LayerView<double> out = view(layer, variances.data());
    Eigen::Map<Matrix>(out.weights, layer.inputs, layer.outputs) =
        of_input.transpose() * squares + input.cwiseAbs2().transpose() * of_operand;
    Eigen::Map<ref::RowVector<double>>(out.bias, layer.outputs) = of_operand.colwise().sum();
    if (l == 0) break;
    const ref::LayerParameters<double> p(layer, parameters);
    of_dh = of_operand * p.weights.cwiseAbs2().transpose();
    dh = dh.cwiseProduct(slope) * p.weights.transpose();
  }
  return variances;
}

std::vector<double> rounding_slack(std::span<const double> variance) {
  std::vector<double> slack;
  slack.reserve(variance.size());
  for (const double v : variance) slack.push_back(allowed * std::sqrt(v));
  return slack;
}

}  // namespace siamese::verify

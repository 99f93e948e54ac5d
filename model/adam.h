#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

namespace siamese {

/// Where Adam puts its epsilon: the two forms in use differ in it and are told apart by name.
enum class AdamForm {
  keras,  ///< w -= lr sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)
  torch   ///< w -= lr * m_hat / (sqrt(v_hat) + epsilon), both moments corrected for their bias
};

std::string_view name(AdamForm form);

/// Adam's constants. Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2015; the
/// keras form is the paper's closing remark of section 2, the torch form its algorithm 1.
struct Adam {
  AdamForm form = AdamForm::keras;
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-7;

  static Adam keras() { return {}; }
  static Adam torch() { return {AdamForm::torch, 1e-3, 0.9, 0.999, 1e-8}; }
};

/// Both forms as one: step t >= 1 does w -= rate * m / (sqrt(v) * v_scale + epsilon), so that a
/// kernel has one formula and only these two scalars depend on t and on the form.
struct AdamStep {
  double rate;
  double v_scale;
};

inline AdamStep adam_step(const Adam& adam, std::int64_t t) {
  const auto step = static_cast<double>(t);
  const double m_correction = 1.0 - std::pow(adam.beta1, step);
  const double v_correction = std::sqrt(1.0 - std::pow(adam.beta2, step));
  if (adam.form == AdamForm::keras) {
    return {adam.learning_rate * v_correction / m_correction, 1.0};
  }
  return {adam.learning_rate / m_correction, 1.0 / v_correction};
}

}  // namespace siamese

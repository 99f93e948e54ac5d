#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "model/adam.h"

namespace siamese::ref {

/// Adam's moments and the number of steps taken.
template <class T>
struct AdamState {
  std::vector<T> m;
  std::vector<T> v;
  std::int64_t step = 0;

  explicit AdamState(std::size_t count) : m(count, T(0)), v(count, T(0)) {}
};

/// One step, written as the two forms are published (model/adam.h has them as one formula).
template <class T>
void adam_update(const Adam& adam, std::span<const T> gradients, std::span<T> parameters,
                 AdamState<T>& state) {
  const T t = static_cast<T>(++state.step);
  const T beta1 = static_cast<T>(adam.beta1);
  const T beta2 = static_cast<T>(adam.beta2);
  const T rate = static_cast<T>(adam.learning_rate);
  const T epsilon = static_cast<T>(adam.epsilon);
  const T m_correction = T(1) - std::pow(beta1, t);
  const T v_correction = T(1) - std::pow(beta2, t);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const T g = gradients[i];
    T& m = state.m[i];
    T& v = state.v[i];
    m = beta1 * m + (T(1) - beta1) * g;
    v = beta2 * v + (T(1) - beta2) * g * g;
    if (adam.form == AdamForm::keras) {
      const T rate_t = rate * std::sqrt(v_correction) / m_correction;
      parameters[i] -= rate_t * m / (std::sqrt(v) + epsilon);
    } else {
      parameters[i] -= rate * (m / m_correction) / (std::sqrt(v / v_correction) + epsilon);
    }
  }
}

}  // namespace siamese::ref

#pragma once

#include <cstdint>

#include "model/adam.h"

namespace siamese::cuda {

/// The formula of model/adam.h for step t >= 1, in device code: rate and v_scale of
///   w -= rate * m / (sqrt(v) * v_scale + epsilon).
__device__ inline AdamStep adam_step_at(const Adam& adam, std::int64_t t) {
  const double step = static_cast<double>(t);
  const double m_correction = 1.0 - pow(adam.beta1, step);
  const double v_correction = sqrt(1.0 - pow(adam.beta2, step));
  if (adam.form == AdamForm::keras) return {adam.learning_rate * v_correction / m_correction, 1.0};
  return {adam.learning_rate / m_correction, 1.0 / v_correction};
}

/// sqrt(v), in float32 to 2^-23 of it over the whole range: the exactly rounded root branches to a
/// path of its own for 0, which v is for every weight of a unit that is never active.
__device__ inline float quick_root(float v) {
  float root;
  asm("sqrt.approx.f32 %0, %1;" : "=f"(root) : "f"(v));
  return root;
}
__device__ inline double quick_root(double v) { return sqrt(v); }

/// a / b, in float32 to two units in the last place where |b| is 2^-126 to 2^126, without a branch;
/// of a larger b it is 0.
__device__ inline float quick_quotient(float a, float b) { return __fdividef(a, b); }
__device__ inline double quick_quotient(double a, double b) { return a / b; }

/// Adam's constants of one step in the scalar of the update.
template <class T>
struct AdamConstants {
  T rest1;  // 1 - beta1
  T rest2;  // 1 - beta2
  T epsilon;
  T rate;
  T v_scale;

  __device__ AdamConstants(const Adam& adam, const AdamStep& step)
      : rest1(static_cast<T>(1.0 - adam.beta1)),
        rest2(static_cast<T>(1.0 - adam.beta2)),
        epsilon(static_cast<T>(adam.epsilon)),
        rate(static_cast<T>(step.rate)),
        v_scale(static_cast<T>(step.v_scale)) {}

  /// One parameter's step, in place. By 1 - beta alone: rounded to float32, beta2 = 0.999 and 0.001
  /// do not add up to 1, and v would settle beside the mean of the squares. All is read before
  /// anything is written, so that no load waits for a store that might be to its address.
  __device__ void update(T gradient, T& parameter, T& m, T& v) const {
    const T next_m = m + rest1 * (gradient - m);
    const T next_v = v + rest2 * (gradient * gradient - v);
    parameter -= quick_quotient(rate * next_m, quick_root(next_v) * v_scale + epsilon);
    m = next_m;
    v = next_v;
  }
};

}  // namespace siamese::cuda

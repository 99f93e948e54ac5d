#pragma once

#include <span>
#include <vector>

#include "cpu_ref/matrix.h"
#include "kernels/variant.h"
#include "model/network.h"
#include "model/random.h"

namespace siamese::verify {

// What the rounding of products' operands does to results. A tensor core multiplies numbers of few
// digits: for C = A B each element of A and of B is rounded first, by a relative error of up to
// operand_roundoff. These errors are taken as independent and evenly spread, so that they have a
// variance, and variances are carried through the network to first order: for each element of a
// result there is the size of its error. Eight standard deviations are allowed, more than chance
// would ask for: errors that came from one rounding, such as of an input, may meet again in a sum.
// What else may be off, the sums being float32's, is sum_tolerance's business.
//
// All matrices here are the reference's, or element by element the variances of what a variant has
// in their place.

/// The unit roundoff of what a precision's products multiply: 0 where operands are used as they are
/// stored.
double operand_roundoff(Precision precision);

/// Of a forward pass, layer by layer [n, d_l].
struct ForwardErrors {
  std::vector<ref::RowMatrix<double>> h;  ///< the variances of h_1 .. h_L
  /// 1 where z_l of a relu is so near to 0 that rounding may put it on the other side, else 0.
  std::vector<ref::RowMatrix<double>> near_kink;
};

/// X -> h_1 .. h_L, with the operands of each product rounded at random.
std::vector<ref::RowMatrix<double>> round_forward(const Network& network,
                                                  std::span<const double> parameters,
                                                  const ref::RowMatrix<double>& x, double roundoff,
                                                  Random& random);

/// The errors of h_1 .. h_L, which forward makes of X.
ForwardErrors forward_errors(const Network& network, std::span<const double> parameters,
                             const ref::RowMatrix<double>& x,
                             const std::vector<ref::RowMatrix<double>>& h, double roundoff);

/// No errors: where h is given.
ForwardErrors no_errors(const std::vector<ref::RowMatrix<double>>& h);

/// The variances of the gradients by the parameters, in the flat layout, which backward makes of G
/// and of what forward left. A unit near its kink may pass all of dh or nothing: three standard
/// deviations.
std::vector<double> backward_variance(const Network& network, std::span<const double> parameters,
                                      const ref::RowMatrix<double>& x,
                                      const std::vector<ref::RowMatrix<double>>& h,
                                      const ForwardErrors& errors,
                                      const ref::RowMatrix<double>& gradient, double roundoff);

/// The standard deviations of each element that are allowed.
std::vector<double> rounding_slack(std::span<const double> variance);

}  // namespace siamese::verify

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cpu_ref/loss.h"
#include "cpu_ref/matrix.h"
#include "kernels/ops.h"
#include "kernels/variant.h"
#include "model/adam.h"
#include "model/loss.h"
#include "model/network.h"
#include "model/pairs.h"

namespace siamese::verify {

/// The shape, the loss and the seed of a problem that tests and benchmarks give to variants.
struct ProblemSpec {
  Network network = seed_network();
  PairForm form = PairForm::dense;
  std::int64_t points = 0;  ///< n
  std::int64_t pairs = 0;   ///< m; dense has n = 2m, all has m = n (n - 1) / 2
  Loss loss = {};
  Adam adam = Adam::keras();
  std::uint64_t seed = 1;
  std::int64_t trainings = 1;         ///< of fit alone: so many at once
  std::int64_t batch = 0;             ///< of fit alone: pairs a step; 0: two fifths of them
  std::int64_t coordinate_width = 0;  ///< k, of all pairs alone; 0: as wide as the embeddings

  static ProblemSpec dense(std::int64_t pairs);
  static ProblemSpec indexed(std::int64_t points, std::int64_t pairs);
  static ProblemSpec all_pairs(std::int64_t points);
};

/// k of a problem with all pairs.
std::int64_t coordinate_width(const ProblemSpec& spec);

/// "points:N/pairs:M", as results name a shape, and "/trainings:K" where there are several.
std::string shape_name(const ProblemSpec& spec);

/// The unit roundoff of a precision's sums. That of what it multiplies is operand_roundoff
/// (verify/rounding.h).
double unit_roundoff(Precision precision);

/// The relative error that an element may have which is a sum of `length` products, apart from what
/// the rounding of their operands does. Beside the sum's it has a handful of roundings of its own,
/// in the precision that it is stored in: the products' where they are not fused with the
/// additions, and those of the bias, the activation and its derivative, or of the distance and the
/// criterion.
double sum_tolerance(Precision precision, std::int64_t length);

double root_mean_square(std::span<const double> values);

// Random inputs, float32 values that float64 variants read unchanged. They are drawn so that no
// kink of the network or the loss lies within float32's rounding of an input wherever that can be
// arranged, for at a kink a derivative is a matter of the last bit.

/// Glorot uniform weights, and biases from U[-0.1, 0.1): a forgotten bias must show. Behind them
/// draw_merge.
std::vector<float> draw_parameters(const ProblemSpec& spec);

/// The merge's parameters: weights from U[0.5, 1.5), an offset from U[0.1, 0.5).
std::vector<float> draw_merge(const ProblemSpec& spec);

/// X [n, d0] from U[0, 1). A point with a pre-activation too near to a relu's 0 is drawn anew.
std::vector<float> draw_points(const ProblemSpec& spec, const std::vector<float>& parameters);

/// n x width numbers from U[low, high).
std::vector<float> draw_uniform(std::int64_t count, double low, double high, std::uint64_t seed);

/// The pairs of a batch with what they are compared with. dense and indexed: a list and a target
/// [m] per pair. all: true coordinates C [n, k].
struct PairTargets {
  PairList list;
  std::vector<double> targets;
  ref::RowMatrix<double> coordinates;
};

/// Draws them for embeddings E [n, d]. Indexed pairs are drawn with repetition, and where there are
/// four or more, one is a pair of a point with itself. A target is away from the pair's distance by
/// 1 to 50% of it, and by more than bf16's rounding of the embeddings moves it; or it is 0 or 1 at
/// random where targets are labels. Coordinates are from U[0, 1). All values are float32's.
PairTargets draw_pair_targets(const ProblemSpec& spec, const ref::RowMatrix<double>& embeddings,
                              std::span<const double> merge);

/// How far each element of G [n, d] and of the merge's gradient can move.
struct LossSlack {
  ref::RowMatrix<double> gradient;
  ref::RowVector<double> merge_gradient;
};

/// Because a pair lies so near to a kink of the loss (D = t for the absolute criterion, a_k = b_k
/// for sums of |a_k - b_k|) that errors of relative size `rounding` in the embeddings may put it on
/// the other side. 0 where no pair does.
LossSlack kink_slack(const ProblemSpec& spec, const ref::RowMatrix<double>& embeddings,
                     std::span<const double> merge, const PairTargets& given, double rounding);

/// The loss of a batch by the reference, whichever form its pairs have.
ref::LossValue<double> reference_loss(const ProblemSpec& spec,
                                      const ref::RowMatrix<double>& embeddings,
                                      std::span<const double> merge, const PairTargets& given);

/// How far a loss and its gradients move, relative to their size, when every embedding moves up or
/// down by a relative `error`: what a result may be off by that is right but for its inputs' last
/// bits. (D - t loses digits where the two are close, as does the cosine distance of near
/// parallels.)
struct Conditioning {
  double value;
  double gradient;        ///< of the worst element, relative to it and the root mean square of all
  double merge_gradient;  ///< the same of the merge's
};

/// Measured with the reference; elements with slack are left out, for they have it for their kinks.
Conditioning measure_conditioning(const ProblemSpec& spec, const ref::RowMatrix<double>& embeddings,
                                  std::span<const double> merge, const PairTargets& given,
                                  const ref::LossValue<double>& loss, const LossSlack& slack,
                                  double error);

}  // namespace siamese::verify

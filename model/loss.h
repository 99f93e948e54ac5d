#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/network.h"

namespace siamese {

/// The merge m2: distance D of two embeddings a and b [width]. Where it has weights w [width] or an
/// offset c they are parameters, trained with the network's.
enum class Distance {
  sqeuclidean,  ///< sum (a - b)^2
  euclidean,    ///< sqrt(sum (a - b)^2); derivative 0 where D is 0
  manhattan,    ///< sum |a - b|; derivative by a component 0 where its difference is 0
  /// 1 - a.b / (|a| |b|); 1 with derivative 0 where a norm is 0. In float32 for norms of 1e-18 to
  /// 1e18 alone: the squares of others leave its range.
  cosine,
  /// sum w (a - b)^2 / (a + b), 0 with derivative 0 where a = b: for features >= 0 (Taigman et al.,
  /// 2014).
  chi_square,
  weighted_l1  ///< sum w |a - b| + c (Koch et al., 2015)
};

/// What a pair costs, from its distance D and its target t. The batch loss is the mean over pairs.
enum class Criterion {
  absolute,  ///< |D - t|; derivative 0 at equality
  squared,   ///< (D - t)^2
  huber,     ///< e = D - t: e^2/2 where |e| <= delta, else delta (|e| - delta/2)
  /// (1 - t) D^2/2 + t max(0, margin - D)^2/2: t = 1 marks a dissimilar pair, t = 0 a similar one
  /// (the squared hinge of Hadsell, Chopra and LeCun, 2006).
  contrastive,
  /// t softplus(-D) + (1 - t) softplus(D), softplus(x) = log(1 + exp(x)): D is the logit of the
  /// probability that the pair is similar, t = 1 (Taigman et al., 2014; Koch et al., 2015).
  logistic
};

inline constexpr std::array all_distances{Distance::sqeuclidean, Distance::euclidean,
                                          Distance::manhattan,   Distance::cosine,
                                          Distance::chi_square,  Distance::weighted_l1};
inline constexpr std::array all_criteria{Criterion::absolute, Criterion::squared, Criterion::huber,
                                         Criterion::contrastive, Criterion::logistic};

std::string_view name(Distance distance);

constexpr bool has_weights(Distance distance) {
  return distance == Distance::chi_square || distance == Distance::weighted_l1;
}
constexpr bool has_offset(Distance distance) { return distance == Distance::weighted_l1; }

/// How many parameters the merge of embeddings of `width` numbers has: w, then c.
constexpr std::int64_t merge_parameters(Distance distance, std::int64_t width) {
  return (has_weights(distance) ? width : 0) + (has_offset(distance) ? 1 : 0);
}

/// The criterion's name; where targets are labels it says what a 1 means.
std::string_view name(Criterion criterion);

/// All names, as messages and --help list them: "sqeuclidean, euclidean, ..".
std::string distance_names();
std::string criterion_names();

/// A distance, a criterion, and the criterion's constant.
struct Loss {
  Distance distance = Distance::euclidean;
  Criterion criterion = Criterion::absolute;
  /// delta of huber, margin of contrastive; ignored by the others. parse_loss takes 1e-18 to 1e18,
  /// whose squares float32 has.
  double constant = 1.0;

  bool operator==(const Loss&) const = default;
};

/// Whether the criterion reads Loss::constant.
bool has_constant(Criterion criterion);

/// Whether a target tells similar pairs from others, 0 or 1, rather than how far apart they are.
bool takes_labels(Criterion criterion);

/// Throws UsageError where the distance is not for what the network's last layer gives.
void check_loss(const Network& network, const Loss& loss);

/// Reads "DISTANCE[/CRITERION[:CONSTANT]]", e.g. "euclidean", "manhattan/huber:0.5". The criterion
/// is absolute where none is given. Throws UsageError that lists the names.
Loss parse_loss(std::string_view text);

/// The inverse of parse_loss, always with the criterion.
std::string name(const Loss& loss);

}  // namespace siamese

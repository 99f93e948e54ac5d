#include "verify/problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu_ref/compare.h"
#include "cpu_ref/forward.h"
#include "cpu_ref/loss.h"
#include "model/error.h"
#include "model/parameters.h"
#include "model/random.h"
#include "model/shape_text.h"

namespace siamese::verify {
namespace {

// Independent streams of one seed.
enum Stream : std::uint64_t {
  biases = 101,
  points = 102,
  pairs = 103,
  targets = 104,
  coordinates = 105,
  merge = 106
};

std::uint64_t stream_seed(const ProblemSpec& spec, Stream stream) {
  return Random(spec.seed * 1000 + stream).bits();
}

// The first `depth` layers of a network, the last of them without its activation.
Network prefix(const Network& network, std::size_t depth) {
  std::vector<std::int64_t> widths{network.input_width()};
  std::vector<Activation> activations;
  for (std::size_t l = 0; l < depth; ++l) {
    widths.push_back(network.layers()[l].outputs);
    activations.push_back(network.layers()[l].activation);
  }
  activations.back() = Activation::linear;
  return {widths, activations};
}

// Which points [n] have a pre-activation of a relu within rounding of 0.
std::vector<bool> near_relu_kink(const Network& network, const std::vector<double>& parameters,
                                 const ref::RowMatrix<double>& x) {
  std::vector<bool> near(static_cast<std::size_t>(x.rows()), false);
  for (std::size_t l = 0; l < network.layers().size(); ++l) {
    const Layer& layer = network.layers()[l];
    if (layer.activation != Activation::relu) continue;
    const ref::RowMatrix<double> z =
        ref::forward<double>(prefix(network, l + 1), parameters, x).back();
    const double scale =
        z.norm() / std::sqrt(static_cast<double>(std::max<Eigen::Index>(z.size(), 1)));
    const double margin = 32.0 * unit_roundoff(Precision::float32) *
                          std::sqrt(static_cast<double>(layer.inputs)) * scale;
    for (Eigen::Index i = 0; i < z.rows(); ++i) {
      if (z.row(i).cwiseAbs().minCoeff() < margin) near[static_cast<std::size_t>(i)] = true;
    }
  }
  return near;
}

// The pairs of the dense or the indexed form. Indexed pairs are drawn with repetition; where there
// are four or more, the middle one is a pair of a point with itself.
PairList draw_pairs(const ProblemSpec& spec) {
  if (spec.form == PairForm::dense) return ref::dense_pairs(spec.pairs);
  if (spec.points == 0 && spec.pairs > 0) {
    throw UsageError(fmt::format("{} pairs of no points; expected points", spec.pairs));
  }
  Random random(stream_seed(spec, pairs));
  const auto bound = static_cast<std::uint64_t>(spec.points);
  PairList list;
  for (std::int64_t p = 0; p < spec.pairs; ++p) {
    const std::uint64_t i = random.below(bound);
    std::uint64_t j = i;
    const bool self = bound == 1 || (spec.pairs >= 4 && p == spec.pairs / 2);
    while (!self && j == i) j = random.below(bound);
    list.first.push_back(static_cast<PointIndex>(i));
    list.second.push_back(static_cast<PointIndex>(j));
  }
  return list;
}

}  // namespace

ProblemSpec ProblemSpec::dense(std::int64_t pairs) {
  ProblemSpec spec;
  spec.form = PairForm::dense;
  spec.points = 2 * pairs;
  spec.pairs = pairs;
  return spec;
}

ProblemSpec ProblemSpec::indexed(std::int64_t points, std::int64_t pairs) {
  ProblemSpec spec;
  spec.form = PairForm::indexed;
  spec.points = points;
  spec.pairs = pairs;
  return spec;
}

ProblemSpec ProblemSpec::all_pairs(std::int64_t points) {
  ProblemSpec spec;
  spec.form = PairForm::all;
  spec.points = points;
  spec.pairs = all_pairs_count(points);
  return spec;
}

std::int64_t coordinate_width(const ProblemSpec& spec) {
  return spec.coordinate_width > 0 ? spec.coordinate_width : spec.network.embedding_width();
}

std::string shape_name(const ProblemSpec& spec) {
  return batch_text(spec.points, spec.pairs, spec.trainings);
}

double unit_roundoff(Precision precision) {
  switch (precision) {
    case Precision::float64:
      return 0x1p-53;
    case Precision::float32:
      return 0x1p-24;
    case Precision::tf32x3:
    case Precision::tf32:
    case Precision::bf16:
      return 0x1p-22;  // a tensor core truncates where it aligns what it adds
  }
  throw UsageError("unknown precision");
}

double sum_tolerance(Precision precision, std::int64_t length) {
  constexpr std::int64_t own_roundings = 8;
  const double products = unit_roundoff(precision);
  const double storage = std::min(products, unit_roundoff(Precision::float32));
  const double error = std::hypot(ref::tolerance(products, length).relative,
                                  ref::tolerance(storage, own_roundings).relative);
  // The reference's own errors are as large as those of a float64 variant.
  return precision == Precision::float64 ? std::sqrt(2.0) * error : error;
}

std::vector<float> draw_uniform(std::int64_t count, double low, double high, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(low + (high - low) * random.uniform());
  return values;
}

std::vector<float> draw_parameters(const ProblemSpec& spec) {
  std::vector<float> parameters = glorot_uniform(spec.network, spec.seed);
  Random random(stream_seed(spec, biases));
  for (const Layer& layer : spec.network.layers()) {
    float* const bias = view(layer, parameters.data()).bias;
    for (std::int64_t k = 0; k < layer.outputs; ++k) {
      bias[k] = static_cast<float>(0.2 * random.uniform() - 0.1);
    }
  }
  const std::vector<float> merge_drawn = draw_merge(spec);
  parameters.insert(parameters.end(), merge_drawn.begin(), merge_drawn.end());
  return parameters;
}

std::vector<float> draw_merge(const ProblemSpec& spec) {
  const std::int64_t width = spec.network.embedding_width();
  if (!has_weights(spec.loss.distance)) return {};
  std::vector<float> drawn = draw_uniform(width, 0.5, 1.5, stream_seed(spec, merge));
  if (has_offset(spec.loss.distance)) {
    drawn.push_back(draw_uniform(1, 0.1, 0.5, stream_seed(spec, merge) + 1).front());
  }
  return drawn;
}

std::vector<float> draw_points(const ProblemSpec& spec, const std::vector<float>& parameters) {
  const std::int64_t width = spec.network.input_width();
  const std::vector<double> exact_parameters(parameters.begin(), parameters.end());
  Random random(stream_seed(spec, points));
  std::vector<float> x(static_cast<std::size_t>(spec.points * width));

  std::vector<std::int64_t> open(static_cast<std::size_t>(spec.points));
  for (std::int64_t i = 0; i < spec.points; ++i) open[static_cast<std::size_t>(i)] = i;
  constexpr int most_rounds = 100;
  for (int round = 0; !open.empty(); ++round) {
    if (round == most_rounds) {
      throw Failure(fmt::format("network {}: no inputs found away from the kinks of its relus",
                                spec.network.name()));
    }
    ref::RowMatrix<double> drawn(static_cast<Eigen::Index>(open.size()), width);
    for (std::size_t k = 0; k < open.size(); ++k) {
      for (std::int64_t c = 0; c < width; ++c) {
        const auto value = static_cast<float>(random.uniform());
        x[static_cast<std::size_t>(open[k] * width + c)] = value;
        drawn(static_cast<Eigen::Index>(k), c) = value;
      }
    }
    const std::vector<bool> near = near_relu_kink(spec.network, exact_parameters, drawn);
    std::vector<std::int64_t> again;
    for (std::size_t k = 0; k < open.size(); ++k) {
      if (near[k]) again.push_back(open[k]);
    }
    open = std::move(again);
  }
  return x;
}

PairTargets draw_pair_targets(const ProblemSpec& spec, const ref::RowMatrix<double>& embeddings,
                              std::span<const double> merge) {
  PairTargets given;
  if (spec.form == PairForm::all) {
    const std::int64_t width = coordinate_width(spec);
    const std::vector<float> c =
        draw_uniform(spec.points * width, 0.0, 1.0, stream_seed(spec, coordinates));
    given.coordinates = ref::load<double>(c.data(), spec.points, width);
    return given;
  }
  given.list = draw_pairs(spec);
  const PairList& pairs = given.list;
  Random random(stream_seed(spec, targets));
  for (std::int64_t p = 0; p < pairs.size(); ++p) {
    const auto k = static_cast<std::size_t>(p);
    if (takes_labels(spec.loss.criterion)) {
      given.targets.push_back(static_cast<double>(random.below(2)));
      continue;
    }
    const ref::RowVector<double> a = embeddings.row(pairs.first[k]);
    const ref::RowVector<double> b = embeddings.row(pairs.second[k]);
    const auto d = ref::distance<double>(spec.loss.distance, a, b, merge);
    // How far D moves when each component of a and b is off by 2%, at random.
    const double reach =
        0.02 * std::hypot(d.by_a.cwiseProduct(a).norm(), d.by_b.cwiseProduct(b).norm());
    const double offset = 0.01 + 0.49 * random.uniform();
    const double away = d.value > 1e-6 ? offset * d.value + reach : offset;
    const bool below = random.below(2) == 0 && away < d.value;
    given.targets.push_back(static_cast<float>(below ? d.value - away : d.value + away));
  }
  return given;
}

ref::LossValue<double> reference_loss(const ProblemSpec& spec,
                                      const ref::RowMatrix<double>& embeddings,
                                      std::span<const double> merge, const PairTargets& given) {
  if (spec.form == PairForm::all) {
    return ref::all_pairs_loss<double>(spec.loss, embeddings, given.coordinates, merge);
  }
  return ref::pair_loss<double>(spec.loss, embeddings, given.list, given.targets, merge);
}

LossSlack kink_slack(const ProblemSpec& spec, const ref::RowMatrix<double>& embeddings,
                     std::span<const double> merge, const PairTargets& given, double rounding) {
  const Eigen::Index n = embeddings.rows();
  const Eigen::Index width = embeddings.cols();
  const Eigen::Index merge_count = static_cast<Eigen::Index>(merge.size());
  const bool absolute = spec.loss.criterion == Criterion::absolute;
  const bool l1 =
      spec.loss.distance == Distance::manhattan || spec.loss.distance == Distance::weighted_l1;
  LossSlack slack{ref::RowMatrix<double>::Zero(n, width),
                  ref::RowVector<double>::Zero(merge_count)};
  if (!absolute && !l1) return slack;

  const double weight = 1.0 / static_cast<double>(std::max<std::int64_t>(spec.pairs, 1));
  const double growth = 4.0 * rounding * std::sqrt(static_cast<double>(width));
  // What the pair (i, j) adds to the slack of row i and of the merge.
  struct PairSlack {
    ref::RowVector<double> row, merge;
  };
  const auto pair_slack = [&](Eigen::Index i, Eigen::Index j, double t) {
    const auto d =
        ref::distance<double>(spec.loss.distance, embeddings.row(i), embeddings.row(j), merge);
    const double slope = std::abs(ref::criterion<double>(spec.loss, d.value, t).derivative);
    const double reach = growth * (embeddings.row(i).norm() + embeddings.row(j).norm() + t);
    PairSlack moved{ref::RowVector<double>::Zero(width), ref::RowVector<double>::Zero(merge_count)};
    if (absolute && !(std::abs(d.value - t) > reach)) {
      moved.row += 2.0 * weight * d.by_a.cwiseAbs();
      moved.merge += 2.0 * weight * d.by_merge.cwiseAbs();
    }
    for (Eigen::Index k = 0; l1 && k < width; ++k) {
      const double gap = std::abs(embeddings(i, k) - embeddings(j, k));
      const double blur = 4.0 * rounding * std::abs(embeddings(i, k));
      const double w = merge.empty() ? 1.0 : std::abs(merge[static_cast<std::size_t>(k)]);
      if (rounding > 0.0 && !(gap > blur)) moved.row(k) += 2.0 * weight * slope * w;
    }
    return moved;
  };

  if (spec.form == PairForm::all) {
    ref::RowMatrix<double> of_merge = ref::RowMatrix<double>::Zero(n, merge_count);
#pragma omp parallel for schedule(static)
    for (Eigen::Index i = 0; i < n; ++i) {
      for (Eigen::Index j = 0; j < n; ++j) {
        if (j == i) continue;
        const double t = (given.coordinates.row(i) - given.coordinates.row(j)).norm();
        const PairSlack moved = pair_slack(i, j, t);
        slack.gradient.row(i) += moved.row;
        of_merge.row(i) += moved.merge / 2.0;  // the pair is met from both of its ends
      }
    }
    slack.merge_gradient = of_merge.colwise().sum();
    return slack;
  }
  for (std::size_t p = 0; p < given.targets.size(); ++p) {
    const Eigen::Index i = given.list.first[p];
    const Eigen::Index j = given.list.second[p];
    const PairSlack moved = pair_slack(i, j, given.targets[p]);
    slack.merge_gradient += moved.merge;
    if (i == j) continue;
    slack.gradient.row(i) += moved.row;
    slack.gradient.row(j) += pair_slack(j, i, given.targets[p]).row;
  }
  return slack;
}

double root_mean_square(std::span<const double> values) {
  double sum = 0.0;
  for (const double v : values) sum += v * v;
  return std::sqrt(sum / static_cast<double>(std::max<std::size_t>(values.size(), 1)));
}

Conditioning measure_conditioning(const ProblemSpec& spec, const ref::RowMatrix<double>& embeddings,
                                  std::span<const double> merge, const PairTargets& given,
                                  const ref::LossValue<double>& loss, const LossSlack& slack,
                                  double error) {
  Random random(spec.seed);
  const ref::RowMatrix<double> moved_embeddings = embeddings.unaryExpr(
      [&](double e) { return e * (1.0 + (random.below(2) == 0 ? -error : error)); });
  const ref::LossValue<double> moved = reference_loss(spec, moved_embeddings, merge, given);

  const auto worst = [](const auto& from, const auto& to, const auto& kinks) {
    const double scale = root_mean_square({from.data(), static_cast<std::size_t>(from.size())});
    double relative = 0.0;
    for (Eigen::Index k = 0; k < from.size(); ++k) {
      const double at = from.data()[k];
      const double difference = std::abs(to.data()[k] - at);
      if (kinks.data()[k] > 0.0 || difference == 0.0) continue;
      relative = std::max(relative, difference / (std::abs(at) + scale));
    }
    return relative;
  };
  return {loss.value == 0.0 ? 0.0 : std::abs(moved.value - loss.value) / std::abs(loss.value),
          worst(loss.gradient, moved.gradient, slack.gradient),
          worst(loss.merge_gradient, moved.merge_gradient, slack.merge_gradient)};
}

}  // namespace siamese::verify

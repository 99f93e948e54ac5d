#include "model/loss.h"

#include <fmt/format.h>

#include "model/error.h"
#include "model/numbers.h"

namespace siamese {
namespace {

// Constants that float32 holds, and their squares too.
constexpr double least_constant = 1e-18;
constexpr double largest_constant = 1e18;

template <class Enum, std::size_t N>
std::string names(const std::array<Enum, N>& values) {
  std::string text;
  for (const Enum value : values)
    text += fmt::format("{}{}", text.empty() ? "" : ", ", name(value));
  return text;
}

template <class Enum, std::size_t N>
Enum find_by_name(std::string_view text, std::string_view what, const std::array<Enum, N>& values) {
  for (const Enum value : values) {
    if (text == name(value)) return value;
  }
  throw UsageError(
      fmt::format("loss: unknown {} '{}'; expected one of {}", what, text, names(values)));
}

}  // namespace

std::string_view name(Distance distance) {
  switch (distance) {
    case Distance::sqeuclidean:
      return "sqeuclidean";
    case Distance::euclidean:
      return "euclidean";
    case Distance::manhattan:
      return "manhattan";
    case Distance::cosine:
      return "cosine";
    case Distance::chi_square:
      return "chi_square";
    case Distance::weighted_l1:
      return "weighted_l1";
  }
  throw UsageError("unknown distance");
}

std::string_view name(Criterion criterion) {
  switch (criterion) {
    case Criterion::absolute:
      return "absolute";
    case Criterion::squared:
      return "squared";
    case Criterion::huber:
      return "huber";
    case Criterion::contrastive:
      return "contrastive_1_is_dissimilar";
    case Criterion::logistic:
      return "logistic_1_is_similar";
  }
  throw UsageError("unknown criterion");
}

std::string distance_names() { return names(all_distances); }

std::string criterion_names() { return names(all_criteria); }

bool has_constant(Criterion criterion) {
  return criterion == Criterion::huber || criterion == Criterion::contrastive;
}

bool takes_labels(Criterion criterion) {
  return criterion == Criterion::contrastive || criterion == Criterion::logistic;
}

void check_loss(const Network& network, const Loss& loss) {
  const Activation last = network.layers().back().activation;
  const bool negative = last == Activation::linear || last == Activation::tanh;
  if (loss.distance != Distance::chi_square || !negative) return;
  throw UsageError(fmt::format(
      "loss '{}' on network {}, whose last layer is {}; expected relu or sigmoid there, "
      "for the distance is for features that are not negative",
      name(loss), network.name(), name(last)));
}

Loss parse_loss(std::string_view text) {
  Loss loss;
  const std::size_t slash = text.find('/');
  loss.distance = find_by_name(text.substr(0, slash), "distance", all_distances);
  if (slash == std::string_view::npos) return loss;

  const std::string_view criterion = text.substr(slash + 1);
  const std::size_t colon = criterion.find(':');
  loss.criterion = find_by_name(criterion.substr(0, colon), "criterion", all_criteria);
  if (colon == std::string_view::npos) return loss;

  const std::string_view constant = criterion.substr(colon + 1);
  const auto value = parse_double(constant);
  const bool in_range = value && *value >= least_constant && *value <= largest_constant;
  if (!has_constant(loss.criterion) || !in_range) {
    throw UsageError(fmt::format(
        "loss '{}': constant '{}'; expected a number of {} to {} after huber (delta) or {} "
        "(margin)",
        text, constant, least_constant, largest_constant, name(Criterion::contrastive)));
  }
  loss.constant = *value;
  return loss;
}

std::string name(const Loss& loss) {
  std::string text = fmt::format("{}/{}", name(loss.distance), name(loss.criterion));
  if (has_constant(loss.criterion)) text += fmt::format(":{}", loss.constant);
  return text;
}

}  // namespace siamese

#include "bench/axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <tuple>

#include "model/error.h"

namespace siamese::bench {
namespace {

using verify::ProblemSpec;

// 128 pairs are a batch of the experiment that the project started from.
std::vector<ProblemSpec> dense(bool quick) {
  std::vector<ProblemSpec> list{ProblemSpec::dense(128), ProblemSpec::dense(1024),
                                ProblemSpec::dense(8192)};
  if (!quick) {
    list.push_back(ProblemSpec::dense(65536));
    list.push_back(ProblemSpec::dense(1048576));
  }
  return list;
}

// That experiment's batch as it shares points, then all pairs of 200 and of 2,000 points as lists.
std::vector<ProblemSpec> indexed(bool quick) {
  std::vector<ProblemSpec> list{ProblemSpec::indexed(30, 128), ProblemSpec::indexed(200, 19900)};
  if (!quick) list.push_back(ProblemSpec::indexed(2000, 1999000));
  return list;
}

std::vector<ProblemSpec> all_pairs(bool quick) {
  std::vector<ProblemSpec> list{ProblemSpec::all_pairs(500), ProblemSpec::all_pairs(2000)};
  if (!quick) {
    list.push_back(ProblemSpec::all_pairs(10000));
    list.push_back(ProblemSpec::all_pairs(50000));
  }
  return list;
}

// All pairs of the experiment's points, by one network and by enough at once for a large device;
// then those of 200 points.
std::vector<ProblemSpec> trainings() {
  ProblemSpec many = ProblemSpec::indexed(30, 435);
  many.trainings = 128;
  return {ProblemSpec::indexed(30, 435), many, ProblemSpec::indexed(200, 19900)};
}

std::vector<ProblemSpec> joined(std::vector<ProblemSpec> a, const std::vector<ProblemSpec>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Above what any machine can hold or run; a larger number is a slip of the hand.
constexpr std::int64_t most_count = 10000000000;

// The whole number behind the key; -1 where there is none that is small enough.
std::int64_t count_after(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return -1;
  std::int64_t count = -1;
  const char* const end = text.data() + text.size();
  const auto stopped = std::from_chars(text.data() + at + key.size(), end, count).ptr;
  const bool whole = stopped == end || *stopped == '/';
  return whole && count <= most_count ? count : -1;
}

}  // namespace

std::vector<ProblemSpec> shapes(std::string_view op, bool quick) {
  if (op == "pair_forward" || op == "pair_backward" || op == "distance_loss") {
    return joined(dense(quick), indexed(quick));
  }
  if (op == "all_pairs_loss") return all_pairs(quick);
  if (op == "adam") return {ProblemSpec::dense(0)};
  if (op == "train_step") return joined(joined(dense(quick), indexed(quick)), all_pairs(quick));
  if (op == "fit") return trainings();
  throw UsageError(fmt::format("benchmark: no axes for the op {}", op));
}

std::vector<ProblemSpec> named_shapes(std::string_view op, const std::vector<std::string>& names,
                                      const Network& network) {
  std::vector<ProblemSpec> usual = shapes(op, false);
  std::vector<ProblemSpec> list;
  for (const std::string& text : names) {
    const bool of_fit = text.find("/trainings:") != std::string::npos;
    const ProblemSpec spec = parse_shape(of_fit ? "fit" : "train_step", text, network);
    if (spec.pairs < 1) throw UsageError(fmt::format("'{}'; expected a pair or more", text));
    const bool taken = std::ranges::any_of(
        usual, [&](const ProblemSpec& other) { return other.form == spec.form; });
    if (op == "fit" && of_fit && !taken) {
      throw UsageError(
          fmt::format("'{}'; expected the form {} with trainings", text, name(usual.front().form)));
    }
    if (taken && (!of_fit || op == "fit")) list.push_back(spec);
  }
  if (op == "adam") return usual;
  const auto counts = [](const ProblemSpec& spec) {
    return std::tuple(spec.form, spec.points, spec.pairs, spec.trainings);
  };
  std::ranges::sort(list, {}, counts);
  const auto same = [&](const ProblemSpec& a, const ProblemSpec& b) {
    return counts(a) == counts(b);
  };
  list.erase(std::unique(list.begin(), list.end(), same), list.end());
  return list;
}

std::string shape_name(std::string_view op, const ProblemSpec& spec) {
  if (op == "adam") return fmt::format("parameters:{}", spec.network.parameter_count());
  return fmt::format("{}/{}", name(spec.form), verify::shape_name(spec));
}

ProblemSpec parse_shape(std::string_view op, std::string_view text, const Network& network) {
  const std::int64_t points = count_after(text, "points:");
  const std::int64_t pairs = count_after(text, "pairs:");
  if (op != "adam" && (points < 0 || pairs < 0)) {
    throw UsageError(
        fmt::format("'{}'; expected dense|indexed|all/points:N/pairs:M{}, N and M from 0 to {}",
                    text, op == "fit" ? "[/trainings:K]" : "", most_count));
  }
  ProblemSpec spec = ProblemSpec::dense(op == "adam" ? 0 : pairs);
  if (text.starts_with(name(PairForm::indexed))) spec = ProblemSpec::indexed(points, pairs);
  if (text.starts_with(name(PairForm::all))) spec = ProblemSpec::all_pairs(points);
  spec.network = network;
  if (const std::int64_t trainings = count_after(text, "trainings:");
      op == "fit" && trainings > 0) {
    spec.trainings = trainings;
  }
  if (shape_name(op, spec) != text) {
    throw UsageError(fmt::format("'{}'; expected {}", text, shape_name(op, spec)));
  }
  return spec;
}

}  // namespace siamese::bench

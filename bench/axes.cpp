#include "bench/axes.h"

#include <fmt/format.h>

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

std::vector<ProblemSpec> joined(std::vector<ProblemSpec> a, const std::vector<ProblemSpec>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

std::vector<ProblemSpec> shapes(std::string_view op, bool quick) {
  if (op == "pair_forward" || op == "pair_backward" || op == "distance_loss") {
    return joined(dense(quick), indexed(quick));
  }
  if (op == "all_pairs_loss") return all_pairs(quick);
  if (op == "adam") return {ProblemSpec::dense(0)};
  if (op == "train_step") return joined(joined(dense(quick), indexed(quick)), all_pairs(quick));
  if (op == "fit") return {ProblemSpec::indexed(30, 435), ProblemSpec::indexed(200, 19900)};
  throw UsageError(fmt::format("benchmark: no axes for the op {}", op));
}

std::string shape_name(std::string_view op, const ProblemSpec& spec) {
  if (op == "adam") return fmt::format("parameters:{}", spec.network.parameter_count());
  return fmt::format("{}/{}", name(spec.form), verify::shape_name(spec));
}

}  // namespace siamese::bench

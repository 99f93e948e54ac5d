// Every variant of every op, on every shape that it supports, against the float64 reference. The
// tests are made from the registries when the program starts: a new variant is tested by being
// there.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/device.h"
#include "kernels/ops.h"
#include "kernels/variant.h"
#include "model/error.h"
#include "tests/kernels/nvtx_ranges.h"
#include "tests/kernels/private_stream.h"
#include "verify/adam.h"
#include "verify/backward.h"
#include "verify/forward.h"
#include "verify/loss.h"
#include "verify/train.h"

namespace siamese {
namespace {

using verify::ProblemSpec;
using verify::Trial;

std::string test_name(const ProblemSpec& spec) {
  std::string text = fmt::format("{}_{}_{}_{}_{}", spec.network.name(), name(spec.form),
                                 verify::shape_name(spec), name(spec.loss), name(spec.adam.form));
  if (spec.batch > 0) text += fmt::format("_batch_{}", spec.batch);
  if (spec.coordinate_width > 0) text += fmt::format("_coordinates_{}", spec.coordinate_width);
  for (char& c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return text;
}

// A small problem of the same kind.
ProblemSpec another(ProblemSpec spec) {
  const ProblemSpec shape = spec.form == PairForm::dense     ? ProblemSpec::dense(1)
                            : spec.form == PairForm::indexed ? ProblemSpec::indexed(2, 1)
                                                             : ProblemSpec::all_pairs(2);
  spec.network = Network::parse("2-3relu-3relu-2sigmoid");
  spec.points = shape.points;
  spec.pairs = shape.pairs;
  spec.batch = 0;
  return spec;
}

// Launches on a stream, and waits for that one alone.
void run_on(const PrivateStream& stream, Device device, const Launch& launch) {
  launch(stream.get());
  EXPECT_TRUE(stream.is_default_stream_idle()) << "some work went to the default stream";
  backend(device).synchronize(stream.get());
}

// What a profiler shows of a launch: one range, named after the variant and the shape, perhaps with
// those of its parts inside.
template <class Args>
void expect_range(const Variant<Args>& variant, const ProblemSpec& spec) {
  const std::optional<std::vector<std::string>> ranges = take_nvtx_ranges();
  if (!ranges || variant.device == Device::cpu) return;
  const std::string shape = op_name<Args> == "adam"
                                ? fmt::format("parameters:{}", spec.network.parameter_count())
                                : requires(Args args) {
    args.pairs;
  }
  || op_name<Args> == "fit" ? verify::shape_name(spec) : fmt::format("points:{}", spec.points);
  EXPECT_THAT(*ranges, testing::ElementsAre(fmt::format("{}/{}/{}/{}", op_name<Args>, variant.name,
                                                        name(variant.precision), shape)));
}

void expect_right(const std::vector<ref::Comparison>& comparisons, std::string_view when) {
  for (const ref::Comparison& comparison : comparisons) {
    EXPECT_TRUE(comparison.ok) << when << ", " << comparison.describe();
  }
}

// One variant on one problem: right from poisoned outputs; right again when the same launch is
// repeated, though another has been prepared since (nothing may be left over in a workspace, and no
// launch may change what another needs); and with the same bits.
template <class Args>
class VariantTest : public testing::Test {
 public:
  VariantTest(const Variant<Args>& variant, ProblemSpec spec)
      : variant_(variant), spec_(std::move(spec)) {}

  void TestBody() override {
    if (const auto reason = backend(variant_.device).why_unavailable()) {
      GTEST_SKIP() << *reason;
    }
    const typename Trial<Args>::Problem problem(spec_);
    Trial<Args> trial(problem, variant_.device);
    trial.reset();
    const PrivateStream stream(variant_.device);  // outlives the launches
    const Launch launch = variant_.prepare(trial.args());
    const typename Trial<Args>::Problem other_problem(another(spec_));
    Trial<Args> other(other_problem, variant_.device);
    Launch other_launch;
    std::vector<std::uint64_t> fingerprints;
    for (int run = 0; run < 2; ++run) {
      if (run == 1 && !variant_.why_unsupported(other.args())) {
        other_launch = variant_.prepare(other.args());
      }
      trial.reset();
      take_nvtx_ranges();
      run_on(stream, variant_.device, launch);
      expect_range(variant_, spec_);
      expect_right(trial.compare(variant_.precision), fmt::format("run {}", run));
      fingerprints.push_back(trial.fingerprint());
    }
    if (variant_.deterministic) {
      EXPECT_EQ(fingerprints[0], fingerprints[1]) << "the second run left other bits";
    }
  }

 private:
  const Variant<Args>& variant_;
  ProblemSpec spec_;
};

// The first two steps of a training by one launch, the second from what the first left: nothing
// that changes from step to step may be kept from when the launch was prepared.
template <class Args>
class TwoStepsTest : public testing::Test {
 public:
  TwoStepsTest(const Variant<Args>& variant, ProblemSpec spec)
      : variant_(variant), spec_(std::move(spec)) {}

  void TestBody() override {
    if (const auto reason = backend(variant_.device).why_unavailable()) {
      GTEST_SKIP() << *reason;
    }
    typename Trial<Args>::Problem problem(spec_);
    problem.state.step = 0;  // from here on a step's rate differs most from the next one's
    problem.go_on(problem.parameters, problem.state);
    Trial<Args> trial(problem, variant_.device);
    const PrivateStream stream(variant_.device);  // outlives the launch
    const Launch launch = variant_.prepare(trial.args());
    trial.reset();
    run_on(stream, variant_.device, launch);
    expect_right(trial.compare(variant_.precision), "step 1");

    problem.go_on(verify::cast<double>(trial.training().parameters()), trial.training().state());
    run_on(stream, variant_.device, launch);
    expect_right(trial.compare(variant_.precision), "step 2");
  }

 private:
  const Variant<Args>& variant_;
  ProblemSpec spec_;
};

// Each problem is computed in float32 by some variant of a device: one that began to refuse what it
// serves would otherwise lose its tests, and nobody would miss them.
template <class Args>
class ServedTest : public testing::Test {
 public:
  ServedTest(Device device, std::vector<ProblemSpec> specs)
      : device_(device), specs_(std::move(specs)) {}

  void TestBody() override {
    if (const auto reason = backend(device_).why_unavailable()) GTEST_SKIP() << *reason;
    for (const ProblemSpec& spec : specs_) {
      const Args args = verify::shape_args<Args>(spec);
      EXPECT_TRUE(std::ranges::any_of(variants<Args>(),
                                      [&](const Variant<Args>& variant) {
                                        return variant.device == device_ &&
                                               variant.precision == Precision::float32 &&
                                               !variant.why_unsupported(args);
                                      }))
          << "no variant serves " << test_name(spec);
    }
  }

 private:
  Device device_;
  std::vector<ProblemSpec> specs_;
};

template <class Args>
void register_served_tests(const std::vector<ProblemSpec>& specs) {
  for (const Device device : {Device::cpu, Device::cuda}) {
    const std::string suite = fmt::format("{}/{}_float32", op_name<Args>, name(device));
    testing::RegisterTest(suite.c_str(), "serves_every_problem", nullptr, nullptr, __FILE__,
                          __LINE__,
                          [=]() -> testing::Test* { return new ServedTest<Args>(device, specs); });
  }
}

// Registers Test<Args> for every variant and every problem that it serves.
template <template <class> class Test, class Args>
void register_tests(const std::vector<ProblemSpec>& specs, std::string_view prefix = "") {
  for (const Variant<Args>& variant : variants<Args>()) {
    const std::string suite = fmt::format("{}/{}_{}_{}", op_name<Args>, name(variant.device),
                                          variant.name, name(variant.precision));
    for (const ProblemSpec& spec : specs) {
      if (variant.why_unsupported(verify::shape_args<Args>(spec))) continue;
      testing::RegisterTest(
          suite.c_str(), fmt::format("{}{}", prefix, test_name(spec)).c_str(), nullptr, nullptr,
          __FILE__, __LINE__,
          [&variant, spec]() -> testing::Test* { return new Test<Args>(variant, spec); });
    }
  }
}

// All pairs of `points` whose coordinates are fewer or more than their embeddings.
ProblemSpec with_coordinates(std::int64_t points, std::int64_t width) {
  ProblemSpec spec = ProblemSpec::all_pairs(points);
  spec.coordinate_width = width;
  return spec;
}

ProblemSpec with(ProblemSpec spec, const Network& network, const Loss& loss = {},
                 const Adam& adam = Adam::keras()) {
  spec.network = network;
  spec.loss = loss;
  spec.adam = adam;
  return spec;
}

std::vector<Loss> all_losses() {
  std::vector<Loss> losses;
  for (const Distance distance : all_distances) {
    for (const Criterion criterion : all_criteria) {
      // A delta that some errors pass and some do not; a margin likewise.
      losses.push_back({distance, criterion, criterion == Criterion::huber ? 0.05 : 0.7});
    }
  }
  return losses;
}

const std::vector<Network>& networks() {
  static const std::vector<Network> list{
      seed_network(),
      Network::parse("1-1"),
      Network::parse("3-17tanh-33sigmoid-5"),
      Network::parse("2-64relu-65linear-2tanh"),
      Network::parse("7-129linear-31relu-4relu"),
      Network::parse("5-257relu-255tanh-3sigmoid"),
      Network::parse("33-8relu"),
      Network::parse("4-16relu-16relu-16relu-16relu-6sigmoid"),
  };
  return list;
}

std::vector<ProblemSpec> layer_specs() {
  std::vector<ProblemSpec> specs;
  for (const std::int64_t points :
       {0, 1, 2, 17, 31, 33, 63, 64, 65, 127, 129, 255, 256, 257, 1000}) {
    specs.push_back(ProblemSpec::indexed(points, 0));
  }
  for (const Network& network : networks()) {
    for (const std::int64_t points : {1, 37, 130}) {
      specs.push_back(with(ProblemSpec::indexed(points, 0), network));
    }
  }
  specs.push_back(with(ProblemSpec::indexed(19, 0), Network::parse("3-1024relu-1000tanh-7")));
  // Outer layers of each narrow width that a gradient over many points is compiled for.
  for (const char* network : {"3-64tanh-2", "7-64relu-72tanh-6sigmoid", "15-64relu-14"}) {
    specs.push_back(with(ProblemSpec::indexed(130, 0), Network::parse(network)));
  }
  for (const std::int64_t points : {65535, 65536, 65537}) {
    specs.push_back(with(ProblemSpec::indexed(points, 0), Network::parse("2-3relu-2")));
  }
  return specs;
}

Network embedding(std::int64_t width) { return {{1, width}, {Activation::linear}}; }

std::vector<ProblemSpec> distance_loss_specs() {
  std::vector<ProblemSpec> specs;
  for (const Loss& loss : all_losses()) {
    specs.push_back(with(ProblemSpec::indexed(17, 65), embedding(10), loss));
    specs.push_back(with(ProblemSpec::dense(33), embedding(10), loss));
    specs.push_back(with(ProblemSpec::indexed(257, 1000), embedding(3), loss));
  }
  for (const std::int64_t pairs : {0, 1, 2, 31, 127, 128, 129, 255, 256, 257, 1024}) {
    specs.push_back(with(ProblemSpec::dense(pairs), embedding(10)));
    specs.push_back(with(ProblemSpec::indexed(41, pairs), embedding(10)));
  }
  for (const std::int64_t width : {1, 2, 17, 33, 128, 1025}) {
    specs.push_back(with(ProblemSpec::indexed(30, 435), embedding(width)));
  }
  specs.push_back(with(ProblemSpec::indexed(5, 4), embedding(8192)));  // more than a block can hold
  specs.push_back(with(ProblemSpec::indexed(1, 5), embedding(10)));
  for (const std::int64_t pairs : {65535, 65536, 65537}) {
    specs.push_back(with(ProblemSpec::dense(pairs), embedding(2)));
    specs.push_back(with(ProblemSpec::indexed(300, pairs), embedding(2)));
  }
  // More points than a grid has warps, so that each warp takes several; more pairs of a point than
  // a block has a list for.
  specs.push_back(with(ProblemSpec::indexed(70001, 3000), embedding(2)));
  specs.push_back(with(ProblemSpec::indexed(5, 20000), embedding(10)));
  // More tiles of a sort's endpoints than a block that scans their counts has threads.
  specs.push_back(with(ProblemSpec::indexed(300, 300000), embedding(1)));
  return specs;
}

std::vector<ProblemSpec> all_pairs_loss_specs() {
  std::vector<ProblemSpec> specs;
  for (const Loss& loss : all_losses()) {
    specs.push_back(with(ProblemSpec::all_pairs(17), embedding(10), loss));
    specs.push_back(with(ProblemSpec::all_pairs(130), embedding(3), loss));
  }
  for (const std::int64_t points : {0, 1, 2, 3, 31, 33, 63, 64, 65, 127, 129, 255, 257, 700}) {
    specs.push_back(with(ProblemSpec::all_pairs(points), embedding(10)));
  }
  for (const std::int64_t width : {1, 2, 17, 33, 128}) {
    specs.push_back(with(ProblemSpec::all_pairs(40), embedding(width)));
  }
  specs.push_back(with(with_coordinates(37, 3), embedding(10)));
  specs.push_back(with(with_coordinates(37, 13), embedding(4)));
  return specs;
}

std::vector<ProblemSpec> adam_specs() {
  std::vector<ProblemSpec> specs;
  for (const Adam& adam : {Adam::keras(), Adam::torch()}) {
    for (const Network& network : networks()) {
      specs.push_back(with(ProblemSpec::dense(0), network, {}, adam));
    }
  }
  return specs;
}

std::vector<ProblemSpec> train_step_specs() {
  std::vector<ProblemSpec> specs;
  const Network small = Network::parse("5-33relu-17tanh-6sigmoid");
  // A loss meets one form of a list, so that each distance and each criterion meets both.
  const ProblemSpec lists[] = {ProblemSpec::dense(20), ProblemSpec::indexed(30, 65)};
  const std::vector<Loss> losses = all_losses();
  for (std::size_t i = 0; i < losses.size(); ++i) {
    specs.push_back(with(lists[i % 2], small, losses[i]));
    specs.push_back(with(ProblemSpec::all_pairs(37), small, losses[i]));
  }
  for (const Network& network : networks()) {
    specs.push_back(with(ProblemSpec::indexed(70, 300), network, {}, Adam::torch()));
    specs.push_back(with(ProblemSpec::dense(33), network));
  }
  // Bounds of what a block holds: of the middle layer's gradient and of its bias's place in it.
  for (const char* network :
       {"11-191relu-207tanh-10", "11-192relu-15relu-16", "11-207relu-16relu-1"}) {
    specs.push_back(with(ProblemSpec::dense(33), Network::parse(network)));
  }
  for (const std::int64_t pairs : {0, 1, 2, 128, 129, 500}) {
    specs.push_back(ProblemSpec::dense(pairs));
  }
  for (const std::int64_t points : {1, 2, 30, 200}) {
    specs.push_back(ProblemSpec::all_pairs(points));
  }
  specs.push_back(with(with_coordinates(37, 3), small));
  specs.push_back(with(with_coordinates(37, 9), small));
  specs.push_back(ProblemSpec::indexed(30, 128));
  specs.push_back(ProblemSpec::indexed(200, 19900));
  specs.push_back(with(ProblemSpec::indexed(40, 60), Network::parse("3-40relu-230tanh-4")));
  // More pairs than a grid takes at once, several times over.
  specs.push_back(with(ProblemSpec::dense(17000), Network::parse("2-3tanh-3tanh-2")));
  return specs;
}

// Both forms of Adam, on a network that every rung serves and on one that is ragged.
std::vector<ProblemSpec> two_steps_specs() {
  return {with(ProblemSpec::indexed(30, 65), seed_network(), {}, Adam::torch()),
          with(ProblemSpec::dense(20), Network::parse("5-33relu-17tanh-6sigmoid"))};
}

std::vector<ProblemSpec> fit_specs() {
  const Network small = Network::parse("5-33relu-17tanh-6sigmoid");
  std::vector<ProblemSpec> specs{
      ProblemSpec::indexed(30, 435),
      with(ProblemSpec::indexed(40, 100), small),
      with(ProblemSpec::indexed(9, 3), Network::parse("3-8tanh-2")),
      with(ProblemSpec::all_pairs(24), Network::parse("4-20relu-3"), {}, Adam::torch()),
      with(ProblemSpec::indexed(10, 0), small),
      with(ProblemSpec::indexed(1, 5), small),
      with(ProblemSpec::indexed(21, 70), Network::parse("33-8relu")),
      with(ProblemSpec::indexed(21, 70), Network::parse("6-12tanh-40")),
      with(ProblemSpec::indexed(21, 70), Network::parse("4-16relu-16relu-16relu-16relu-6sigmoid")),
  };
  // Several at once; the second do not find room in a block's shared memory.
  for (ProblemSpec spec : {with(ProblemSpec::indexed(19, 40), small),
                           with(ProblemSpec::all_pairs(130), Network::parse("3-200relu-2"))}) {
    spec.trainings = 2;
    specs.push_back(spec);
  }
  // Every pair in every step, in the order that they are given in.
  for (ProblemSpec spec :
       {with(ProblemSpec::indexed(21, 70), small), with(ProblemSpec::indexed(50, 20), small),
        with(ProblemSpec::dense(20), small), with(ProblemSpec::all_pairs(12), small)}) {
    for (const std::int64_t more : {0, 1}) {
      spec.batch = spec.pairs + more;
      specs.push_back(spec);
    }
  }
  specs.push_back(with(with_coordinates(24, 3), small));
  // Each distance meets each form, each form each criterion.
  const ProblemSpec forms[] = {ProblemSpec::indexed(150, 33),  // fewer pairs than points
                               ProblemSpec::dense(20), ProblemSpec::all_pairs(37)};
  const std::vector<Loss> losses = all_losses();
  const std::size_t criteria = std::size(all_criteria);
  for (std::size_t distance = 0; distance < std::size(all_distances); ++distance) {
    for (std::size_t form = 0; form < std::size(forms); ++form) {
      const Loss& loss = losses[distance * criteria + (distance + form) % criteria];
      specs.push_back(with(forms[form], small, loss));
    }
  }
  return specs;
}

template <template <class> class Args>
void register_both(const std::vector<ProblemSpec>& specs) {
  register_tests<VariantTest, Args<float>>(specs);
  register_tests<VariantTest, Args<double>>(specs);
  register_served_tests<Args<float>>(specs);
}

template <template <class> class Args>
void register_two_steps(const std::vector<ProblemSpec>& specs) {
  register_tests<TwoStepsTest, Args<float>>(specs, "two_steps_");
  register_tests<TwoStepsTest, Args<double>>(specs, "two_steps_");
}

// Says in one line, for CTest to read, when a run of CUDA tests could execute none.
class SkippedSummary : public testing::EmptyTestEventListener {
  void OnTestProgramEnd(const testing::UnitTest& unit_test) override {
    if (unit_test.test_to_run_count() > 0 &&
        unit_test.skipped_test_count() == unit_test.test_to_run_count()) {
      fmt::print("every CUDA test skipped: {}\n",
                 backend(Device::cuda).why_unavailable().value_or("no reason given"));
    }
  }
};

// After a fault of a CUDA device every later call returns it: what is left is skipped, so that the
// variant that did it is the one that failed.
class LostDevice : public testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo& test) override {
    if (!test.result()->Failed() || backend(Device::cuda).why_unavailable()) return;
    try {
      backend(Device::cuda).synchronize(Stream{});
    } catch (const Failure& fault) {
      testing::GTEST_FLAG(fail_fast) = true;
      fmt::print("the device is lost, and all tests that are left are skipped: {}\n", fault.what());
    }
  }
};

}  // namespace
}  // namespace siamese

int main(int argc, char** argv) {
  using namespace siamese;
  testing::InitGoogleTest(&argc, argv);
  register_both<PairForwardArgs>(layer_specs());
  register_both<DistanceLossArgs>(distance_loss_specs());
  register_both<AllPairsLossArgs>(all_pairs_loss_specs());
  register_both<PairBackwardArgs>(layer_specs());
  register_both<AdamArgs>(adam_specs());
  register_both<TrainStepArgs>(train_step_specs());
  register_both<FitArgs>(fit_specs());
  register_two_steps<AdamArgs>(two_steps_specs());
  register_two_steps<TrainStepArgs>(two_steps_specs());
  testing::UnitTest::GetInstance()->listeners().Append(new LostDevice);
  testing::UnitTest::GetInstance()->listeners().Append(new SkippedSummary);
  const int code = RUN_ALL_TESTS();
  if (testing::GTEST_FLAG(list_tests) ||
      testing::UnitTest::GetInstance()->test_to_run_count() > 0) {
    return code;
  }
  fmt::print("no test matches the filter\n");
  return 1;
}

#include "landmarks/trainer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "kernels/device.h"
#include "kernels/ops.h"
#include "kernels/variant.h"
#include "model/error.h"
#include "model/landmark_data.h"
#include "model/parameters.h"

namespace siamese::landmarks {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

TrainingTask small_task(bool all_pairs, std::optional<Loss> loss = Loss{}) {
  NumpyRandom random(3);
  const LandmarkData data = uniform_landmark_data(12, 5, 3, random);
  TrainingTask task;
  task.network = Network::parse("5-17relu-9relu-3sigmoid");
  task.parameters =
      loss ? initial_parameters(task.network, *loss, 1) : glorot_uniform(task.network, 1);
  task.x = data.features;
  task.loss = loss;
  task.all_pairs = all_pairs;
  task.shuffle_seed = 5;
  if (all_pairs) {
    task.coordinates = data.points;
  } else {
    task.pairs = all_pairs_list(data.points.rows);
    task.targets = pair_distances(data.points, task.pairs);
    task.batch = 19;  // 66 pairs: three batches and a rest of 9
  }
  return task;
}

struct Able {
  std::string name;
  bool deterministic;
};

// Every variant of a device that can do the task.
std::vector<Able> able_variants(Device device, const TrainingTask& task) {
  std::vector<Able> able;
  const auto add = [&](const auto& variants, std::string_view op) {
    for (const auto& variant : variants) {
      if (variant.device != device) continue;
      const std::string full = fmt::format("{}/{}/{}/{}", op, name(variant.device), variant.name,
                                           name(variant.precision));
      try {
        make_trainer(task, full);
        able.push_back({full, variant.deterministic});
      } catch (const UsageError&) {
        // It says that it cannot; make_trainer's own tests see to the words.
      }
    }
  };
  add(variants<FitArgs<float>>(), op_name<FitArgs<float>>);
  add(variants<TrainStepArgs<float>>(), op_name<TrainStepArgs<float>>);
  return able;
}

struct Case {
  Device device;
  bool all_pairs;
};

void PrintTo(const Case& of, std::ostream* out) {
  *out << name(of.device) << (of.all_pairs ? "_all" : "_listed");
}

class AgainstReference : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (const auto why_not = backend(GetParam().device).why_unavailable()) GTEST_SKIP() << *why_not;
    able_ = able_variants(GetParam().device, task_);
    ASSERT_FALSE(able_.empty()) << "no variant trains";
  }

  const TrainingTask task_ = small_task(GetParam().all_pairs);
  std::vector<Able> able_;
};

// Few epochs, so that rounding has no time to grow.
TEST_P(AgainstReference, EveryVariantTrainsAlike) {
  const std::vector<double> want = make_reference_trainer(task_)->train(4);
  for (const Able& variant : able_) {
    const std::string& name = variant.name;
    SCOPED_TRACE(name);
    const auto trainer = make_trainer(task_, name);
    EXPECT_EQ(trainer->name(), name);
    const std::vector<double> got = trainer->train(4);
    ASSERT_EQ(got.size(), want.size());
    const bool narrow = name.find("float32") == std::string::npos && !name.ends_with("tf32x3");
    for (std::size_t e = 0; e < want.size(); ++e) {
      EXPECT_NEAR(got[e], want[e], (narrow ? 2e-2 : 2e-5) * want[e]) << "epoch " << e;
    }
  }
}

// On a device before compute capability 9.0, which has no clusters and less shared memory, the
// next.
TEST(Trainer, TakesTheBestWhereNoneIsNamed) {
  const auto taken = [](bool all_pairs) {
    const TrainingTask task = small_task(all_pairs);
    return make_trainer(task, "")->name();
  };
  if (backend(Device::cuda).why_unavailable()) {
    EXPECT_EQ(taken(false), "fit/cpu/tiled/float32");
    EXPECT_EQ(taken(true), "fit/cpu/tiled/float32");
    return;
  }
  EXPECT_THAT(taken(false), AnyOf("fit/cuda/cluster/float32", "fit/cuda/cooperative/float32"));
  EXPECT_THAT(taken(true), AnyOf("train_step/cuda/chain/float32", "train_step/cuda/graph/float32"));
}

// The weights of a distance are trained with the network's, by whoever trains.
TEST(Trainer, TrainsTheMergeAlike) {
  for (const bool all_pairs : {false, true}) {
    for (const Distance distance : {Distance::chi_square, Distance::weighted_l1}) {
      const TrainingTask task = small_task(all_pairs, Loss{distance, Criterion::squared});
      const auto reference = make_reference_trainer(task);
      const auto trainer = make_trainer(task, "");
      SCOPED_TRACE(fmt::format("{} by {}", name(distance), trainer->name()));
      EXPECT_NE(trainer->name(), reference->name());
      const std::vector<double> want_losses = reference->train(4);
      const std::vector<double> losses = trainer->train(4);
      for (std::size_t e = 0; e < 4; ++e) EXPECT_NEAR(losses[e], want_losses[e], 2e-5);
      const std::vector<double> want = reference->parameters();
      const std::vector<double> got = trainer->parameters();
      ASSERT_EQ(got.size(), want.size());
      const auto merge = static_cast<std::size_t>(task.network.parameter_count());
      ASSERT_GT(want.size(), merge);
      for (std::size_t i = merge; i < want.size(); ++i) {
        EXPECT_NEAR(got[i], want[i], 1e-5);
        EXPECT_NE(want[i], task.parameters[i]);
      }
    }
  }
}

// The same bits, however the epochs are divided into calls; nearly the same from a variant whose
// sums have no fixed order.
TEST_P(AgainstReference, CallsDoNotMatter) {
  able_.push_back({"reference", true});
  for (const auto& [name, deterministic] : able_) {
    SCOPED_TRACE(name);
    const auto once = make_trainer(task_, name);
    const auto thrice = make_trainer(task_, name);
    const std::vector<double> want = once->train(6);
    std::vector<double> got = thrice->train(1);
    for (const std::int64_t more : {3, 2}) {
      const std::vector<double> losses = thrice->train(more);
      got.insert(got.end(), losses.begin(), losses.end());
    }
    if (deterministic) {
      EXPECT_EQ(got, want);
      EXPECT_EQ(thrice->parameters(), once->parameters());
      continue;
    }
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t e = 0; e < want.size(); ++e) EXPECT_NEAR(got[e], want[e], 1e-4 * want[e]);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, AgainstReference,
                         testing::Values(Case{Device::cpu, false}, Case{Device::cpu, true},
                                         Case{Device::cuda, false}, Case{Device::cuda, true}),
                         testing::PrintToStringParamName());

TEST(Trainer, ReferenceContinuesExactly) {
  const TrainingTask task = small_task(false, std::nullopt);
  const auto once = make_trainer(task, "");
  const auto twice = make_trainer(task, "reference");
  EXPECT_EQ(once->name(), "reference") << "the loss as written has no kernel";
  once->train(5);
  twice->train(2);
  twice->train(3);
  EXPECT_EQ(once->parameters(), twice->parameters());
}

TEST(Trainer, RefusesATaskWithoutPairs) {
  TrainingTask task = small_task(false);
  task.pairs = {};
  task.targets.clear();
  for (const std::string_view variant : {"", "reference", "train_step/cpu/tiled/float32"}) {
    EXPECT_THAT([&] { make_trainer(task, variant); },
                ThrowsMessage<UsageError>("training: no pairs; expected at least one"));
  }
}

TEST(Trainer, RefusesUnknownVariantsByListingTheKnown) {
  const TrainingTask task = small_task(false);
  EXPECT_THAT([&task] { make_trainer(task, "warp9"); },
              ThrowsMessage<UsageError>(AllOf(HasSubstr("variant 'warp9' is unknown"),
                                              HasSubstr("reference, "), HasSubstr("/cpu/"))));
}

TEST(Trainer, ListsThoseAloneThatCanTrainHere) {
  const TrainingTask task = small_task(false, std::nullopt);  // which no kernel computes
  EXPECT_THAT([&task] { make_trainer(task, "warp9"); },
              ThrowsMessage<UsageError>("variant 'warp9' is unknown; expected one of reference, "
                                        "which can train this here"));
}

TEST(Trainer, SaysWhyAVariantCannot) {
  const TrainingTask task = small_task(false, std::nullopt);
  const auto& steps = variants<TrainStepArgs<float>>();
  ASSERT_FALSE(steps.empty());
  EXPECT_THAT([&] { make_trainer(task, steps.front().name); },
              ThrowsMessage<UsageError>(HasSubstr("cannot train this: the loss as written")));
}

}  // namespace
}  // namespace siamese::landmarks

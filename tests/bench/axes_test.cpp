#include "bench/axes.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "model/error.h"

namespace siamese::bench {
namespace {

using verify::ProblemSpec;

constexpr std::string_view ops[] = {
    "pair_forward", "distance_loss", "all_pairs_loss", "pair_backward", "adam", "train_step",
    "fit"};

TEST(Axes, NamesTellTheFormApart) {
  EXPECT_EQ(shape_name("train_step", ProblemSpec::indexed(200, 19900)),
            "indexed/points:200/pairs:19900");
  EXPECT_EQ(shape_name("train_step", ProblemSpec::all_pairs(200)), "all/points:200/pairs:19900");
  EXPECT_EQ(shape_name("distance_loss", ProblemSpec::dense(128)), "dense/points:256/pairs:128");
  EXPECT_EQ(shape_name("adam", ProblemSpec::dense(0)), "parameters:44610");
}

TEST(Axes, EveryOpHasShapesWithNamesOfTheirOwn) {
  for (const std::string_view op : ops) {
    for (const bool quick : {true, false}) {
      std::set<std::string> names;
      const auto list = shapes(op, quick);
      EXPECT_FALSE(list.empty());
      for (const ProblemSpec& spec : list) names.insert(shape_name(op, spec));
      EXPECT_EQ(names.size(), list.size()) << op;
    }
  }
  EXPECT_THROW(shapes("dance", true), UsageError);
}

TEST(Axes, NamesAreReadBack) {
  for (const std::string_view op : ops) {
    for (const ProblemSpec& spec : shapes(op, false)) {
      const ProblemSpec read = parse_shape(op, shape_name(op, spec), spec.network);
      EXPECT_EQ(shape_name(op, read), shape_name(op, spec)) << op;
      EXPECT_EQ(read.form, spec.form) << op;
    }
  }
}

TEST(Axes, NamedShapesGoToTheOpsThatTakeThem) {
  const std::vector<std::string> names{
      "dense/points:1000/pairs:500", "all/points:9/pairs:36", "dense/points:4/pairs:2",
      "indexed/points:7/pairs:21/trainings:3", "indexed/points:7/pairs:20",
      // Again; and what but for the trainings is there already.
      "dense/points:1000/pairs:500", "indexed/points:7/pairs:21/trainings:3",
      "indexed/points:7/pairs:21"};
  const auto named = [&](std::string_view op) {
    std::vector<std::string> list;
    for (const ProblemSpec& spec : named_shapes(op, names, seed_network())) {
      list.push_back(shape_name(op, spec));
    }
    return list;
  };
  using List = std::vector<std::string>;
  EXPECT_EQ(named("pair_forward"), (List{names[2], names[0], names[4], names[7]}));
  EXPECT_EQ(named("all_pairs_loss"), List{names[1]});
  EXPECT_EQ(named("train_step"), (List{names[2], names[0], names[4], names[7], names[1]}));
  EXPECT_EQ(named("fit"), (List{names[4], names[7], names[3]}));
  EXPECT_EQ(named("adam"), List{"parameters:44610"});
  EXPECT_THROW(named_shapes("fit", {"dense/points:0/pairs:0"}, seed_network()), UsageError);
  EXPECT_THROW(named_shapes("adam", {"dense/points:1/pairs:1"}, seed_network()), UsageError);
  // What no op is timed at.
  EXPECT_THROW(named_shapes("fit", {"dense/points:2/pairs:1/trainings:2"}, seed_network()),
               UsageError);
}

TEST(Axes, WhatIsNoShapeIsRefused) {
  const Network network = seed_network();
  for (const char* const text :
       {"", "dense", "dense/points:256", "dense/points:255/pairs:128", "ring/points:256/pairs:128",
        "dense/points:-256/pairs:128", "dense/points:256/pairs:128x", "dense/points:nan/pairs:nan",
        "all/points:200/pairs:19901", "indexed/points:9/pairs:1000000000000",
        "dense/points:1e2/pairs:50", "indexed/points:99999999999999999999/pairs:1"}) {
    EXPECT_THROW(parse_shape("train_step", text, network), UsageError) << text;
  }
  EXPECT_THROW(parse_shape("adam", "parameters:7", network), UsageError);
  EXPECT_THROW(parse_shape("adam", "", network), UsageError);
}

TEST(Axes, TheQuickSweepIsPartOfTheFullOne) {
  for (const std::string_view op : ops) {
    std::set<std::string> full;
    for (const ProblemSpec& spec : shapes(op, false)) full.insert(shape_name(op, spec));
    for (const ProblemSpec& spec : shapes(op, true)) {
      EXPECT_TRUE(full.contains(shape_name(op, spec))) << op;
    }
  }
}

TEST(Axes, LossOverAllPairsHasNoLists) {
  for (const ProblemSpec& spec : shapes("all_pairs_loss", false)) {
    EXPECT_EQ(spec.form, PairForm::all);
  }
  for (const ProblemSpec& spec : shapes("distance_loss", false)) {
    EXPECT_NE(spec.form, PairForm::all);
  }
}

}  // namespace
}  // namespace siamese::bench

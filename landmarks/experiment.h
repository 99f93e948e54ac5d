#pragma once

#include <string>
#include <vector>

#include "landmarks/measures.h"
#include "landmarks/options.h"
#include "landmarks/trainer.h"
#include "model/landmark_data.h"

namespace siamese::landmarks {

/// The points of an experiment: scaled into [0, 1], where the network's sigmoid can reach them, and
/// the way back. Drawn points are there already and their scaling changes nothing.
struct Dataset {
  LandmarkData scaled;
  Scaling scaling;
  std::vector<std::string> labels;  ///< one per point, or none
  Matrix<double> points;            ///< in the user's coordinates

  /// Scaled coordinates [n, c] in the user's.
  Matrix<double> unscaled(const Matrix<double>& scaled_points) const;
};

/// Points drawn or read, as the options say, and the stream behind them. Throws UsageError for
/// sizes that cannot be or that this machine's memory cannot hold, Failure where they are a file's.
Dataset make_dataset(const Options& options, NumpyRandom& random);

/// What came out. Points [n, c] are in the user's coordinates, measures are over the test points.
struct Results {
  TrainingTask task;  ///< what the training was given
  std::string trained_by;
  double seconds = 0;  ///< of training
  std::vector<double> loss_curve;
  double random_loss = 0;         ///< of random coordinates, for training pairs
  Matrix<double> predicted;       ///< the network's, for every point
  Matrix<double> aligned;         ///< the same, brought onto the true training points
  Matrix<double> multilaterated;  ///< for every point
  std::int64_t landmark_rank = 0;
  Measures network;
  Measures random;
  Measures multilateration;
  double position_error = 0;  ///< mean over test points of |true - aligned|
};

/// Trains, predicts and measures. Tells its progress on standard error. Throws Failure where the
/// loss or the network's outputs stop being finite, Interrupted at Ctrl-C.
Results run_experiment(const Options& options, const Dataset& data, NumpyRandom& random);

}  // namespace siamese::landmarks

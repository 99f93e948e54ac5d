#pragma once

#include <string>

#include "landmarks/experiment.h"
#include "landmarks/options.h"
#include "landmarks/output_folder.h"

namespace siamese::landmarks {

/// What is about to be trained on what, for the terminal.
std::string describe_task(const Options& options, const Dataset& data);

/// The table of errors and how the distances relate, for the terminal.
std::string describe_results(const Options& options, const Dataset& data, const Results& results);

/// Writes into the folder: points.csv and .npy, features.csv, pairs.csv (listed pairs), split.csv,
/// loss.csv, predictions.csv and .npy, aligned.csv, summary.json. Points are numbered from 0;
/// distances are in the user's unit, losses of the scaled points.
void write_results(OutputFolder& folder, const Options& options, const Dataset& data,
                   const Results& results);

/// Draws the pictures of a written folder with the project's Python script. Returns in one line
/// what was drawn, or why nothing was. Throws Interrupted where Ctrl-C ended the script.
std::string draw_pictures(const std::filesystem::path& folder);

}  // namespace siamese::landmarks

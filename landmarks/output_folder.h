#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace siamese::landmarks {

/// A folder that gets all of a run's files or none. They are written to a folder inside it and
/// moved to their names by commit(); without one, what this run made is removed again.
class OutputFolder {
 public:
  /// Makes the folder where it is missing. Throws Failure where it cannot be written, so that a
  /// user hears of it before the work and not after it.
  explicit OutputFolder(const std::filesystem::path& path);
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;
  ~OutputFolder();

  /// Writes a file that commit() will move. Throws Failure where the disk is full.
  void write(const std::string& name, std::string_view content);

  /// Moves the files to their names, in the order written. Throws Failure.
  void commit();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::filesystem::path staging_;
  std::vector<std::filesystem::path> made_;  // folders that were not there before, the inner first
  std::vector<std::string> names_;
  bool committed_ = false;
};

}  // namespace siamese::landmarks

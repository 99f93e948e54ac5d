#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "model/file.h"

namespace siamese::landmarks {

/// A new folder that gets all of a run's files or none. They are written to a hidden folder beside
/// it, which commit() gives its name; without one, what this run made is removed again. The hidden
/// folder that a killed run leaves is taken over by the next run that writes to the same name.
class OutputFolder {
 public:
  /// Makes the hidden folder and locks it, so that no other run takes the name. Throws UsageError
  /// where another run has it, or where there is something of that name, other than an empty
  /// folder; Failure where it cannot be written, so that a user hears of it before the work and not
  /// after it.
  explicit OutputFolder(const std::filesystem::path& path);
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;
  ~OutputFolder();

  /// Writes a file that commit() will move. Throws Failure where the disk is full.
  void write(const std::string& name, std::string_view content);

  /// The same in pieces: a file to be written to and committed before the folder is.
  AtomicFile file(const std::string& name) const;

  /// Puts the files in the folder, all at once. Throws Failure.
  void commit();

  const std::filesystem::path& path() const { return path_; }

 private:
  OutputFolder(const std::filesystem::path& parent, const std::string& name);

  std::filesystem::path path_;
  std::filesystem::path staging_;
  std::vector<std::filesystem::path> made_;  // folders that were not there before, the inner first
  int lock_ = -1;  // a descriptor of the hidden folder, from when this run has it
  bool committed_ = false;
};

}  // namespace siamese::landmarks

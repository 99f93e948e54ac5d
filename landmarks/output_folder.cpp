#include "landmarks/output_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

#include "model/error.h"

namespace siamese::landmarks {
namespace fs = std::filesystem;
namespace {

Failure failure(const fs::path& path, const std::error_code& error) {
  return Failure(fmt::format("cannot write folder '{}': {}", path.string(), error.message()));
}

// The folders on the way to `path` that are not there, the inner first.
std::vector<fs::path> missing_folders(fs::path path) {
  std::vector<fs::path> missing;
  std::error_code ignored;
  while (!path.empty() && !fs::exists(path, ignored)) {
    missing.push_back(path);
    path = path.parent_path();
  }
  return missing;
}

void remove_empty(const std::vector<fs::path>& folders) {
  std::error_code ignored;
  for (const fs::path& folder : folders) fs::remove(folder, ignored);
}

}  // namespace

OutputFolder::OutputFolder(const fs::path& path)
    : path_(path.has_filename() ? path : path.parent_path()),
      staging_(path_.parent_path() /
               fmt::format(".{}.writing-{}", path_.filename().string(), ::getpid())),
      made_(missing_folders(path_)) {
  std::error_code error;
  if (path_.has_parent_path()) fs::create_directories(path_.parent_path(), error);
  const bool made = !error && fs::create_directory(path_, error);
  if (!made && (!error || error == std::errc::file_exists)) {
    throw UsageError(
        fmt::format("--out '{}': it is there already; expected a new folder", path_.string()));
  }
  // The folder is this run's now: what another left beside it, killed with the same process id,
  // belongs to nobody.
  if (!error) fs::remove_all(staging_, error);
  if (!error) fs::create_directory(staging_, error);
  if (error) {
    remove_empty(made_);
    throw failure(path_, error);
  }
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  fs::remove_all(staging_, ignored);
  if (!committed_) remove_empty(made_);
}

void OutputFolder::write(const std::string& name, std::string_view content) {
  write_file(staging_ / name, content);
}

AtomicFile OutputFolder::file(const std::string& name) const { return AtomicFile(staging_ / name); }

void OutputFolder::commit() {
  std::error_code error;
  fs::rename(staging_, path_, error);
  if (error) throw failure(path_, error);
  committed_ = true;
  sync_folder(path_.has_parent_path() ? path_.parent_path() : fs::path("."));
}

}  // namespace siamese::landmarks

#include "landmarks/output_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "model/error.h"

namespace siamese::landmarks {
namespace fs = std::filesystem;
namespace {

Failure failure(const fs::path& path, const std::error_code& error) {
  return Failure(fmt::format("cannot write folder '{}': {}", path.string(), error.message()));
}

fs::path without_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

// The folders on the way to `path`, and itself, that are not there, the inner first.
std::vector<fs::path> missing_folders(fs::path path) {
  std::vector<fs::path> missing;
  std::error_code ignored;
  while (!path.empty() && !fs::exists(path, ignored)) {
    missing.push_back(path);
    path = path.parent_path();
  }
  return missing;
}

// Throws where `path` is something, other than an empty folder.
void require_new(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (!fs::exists(status) || (fs::is_directory(status) && fs::is_empty(path, error))) return;
  throw UsageError(
      fmt::format("--out '{}': it is there already; expected a new folder", path.string()));
}

// Whether the descriptor is of what `path` names now.
bool is_open(int descriptor, const fs::path& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(descriptor, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

}  // namespace

OutputFolder::OutputFolder(const fs::path& parent, const std::string& name)
    : path_(parent / name),
      staging_(parent / fmt::format(".{}.writing", name)),
      made_(missing_folders(parent)) {}

OutputFolder::OutputFolder(const fs::path& path)
    : OutputFolder(without_slash(path).parent_path(), without_slash(path).filename()) {
  require_new(path_);
  std::error_code error;
  if (path_.has_parent_path()) fs::create_directories(path_.parent_path(), error);
  const bool made = !error && fs::create_directory(staging_, error);
  if (error) throw failure(path_, error);
  const int descriptor = ::open(staging_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  // The lock ends with the process, however it ends. Some network file systems lock no folders:
  // there the one who made it has it.
  const bool locked = descriptor >= 0 && (::flock(descriptor, LOCK_EX | LOCK_NB) == 0 ||
                                          (errno != EWOULDBLOCK && made));
  if (!locked || !is_open(descriptor, staging_)) {
    if (descriptor >= 0) ::close(descriptor);
    throw UsageError(fmt::format("--out '{}': another run is writing it, in '{}'", path_.string(),
                                 staging_.string()));
  }
  lock_ = descriptor;
  require_new(path_);  // that other run may have ended meanwhile
  for (const fs::directory_entry& left : fs::directory_iterator(staging_, error)) {
    fs::remove_all(left.path(), error);
    if (error) break;
  }
  if (error) throw failure(path_, error);
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  if (lock_ >= 0 && !committed_) fs::remove_all(staging_, ignored);
  if (lock_ >= 0) ::close(lock_);
  if (committed_) return;
  for (const fs::path& folder : made_) fs::remove(folder, ignored);
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

#include "model/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "model/error.h"

namespace siamese {
namespace {

// "cannot write 'd/x.csv': No space left on device", from errno as the failed call left it.
Failure failure(std::string_view action, const std::filesystem::path& path) {
  return Failure(fmt::format("cannot {} '{}': {}", action, path.string(),
                             std::error_code(errno, std::generic_category()).message()));
}

// Closes a descriptor that is only read; there is nothing to lose when that fails.
class Reading {
 public:
  explicit Reading(int descriptor) : descriptor_(descriptor) {}
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading() { ::close(descriptor_); }

 private:
  int descriptor_;
};

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

// What cannot be opened for reading cannot be synchronised, though written; file systems that
// cannot do it for folders say EINVAL.
void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  const Reading reading(descriptor);
  if (::fsync(descriptor) != 0 && errno != EINVAL) throw failure("write", folder);
}

std::string read_file(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) throw failure("read", path);
  const Reading reading(descriptor);

  struct stat status {};
  if (::fstat(descriptor, &status) != 0) throw failure("read", path);
  if (!S_ISREG(status.st_mode)) {
    throw Failure(fmt::format("cannot read '{}': expected a regular file", path.string()));
  }

  std::string content;
  content.reserve(static_cast<std::size_t>(status.st_size));
  std::array<char, 1 << 16> block;
  while (true) {
    const ssize_t count = ::read(descriptor, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw failure("read", path);
    if (count == 0) return content;
    content.append(block.data(), static_cast<std::size_t>(count));
  }
}

void write_all(int descriptor, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw failure("write", path);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path_, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw Failure(
        fmt::format("cannot write '{}': it is there and no regular file", path_.string()));
  }
  static std::atomic<unsigned> count{0};
  do {  // a name may be taken: by what a killed process of the same number left
    temporary_ = folder_of(path_) /
                 fmt::format(".{}.{}-{}.tmp", path_.filename().string(), ::getpid(), count++);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) throw failure("write", path_);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) { write_all(descriptor_, bytes, path_); }

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) throw failure("write", path_);
  if (::close(std::exchange(descriptor_, -1)) != 0) throw failure("write", path_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw failure("write", path_);
  temporary_.clear();
  sync_folder(folder_of(path_));
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace siamese

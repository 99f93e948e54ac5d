#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace siamese {

/// The whole of a regular file. Throws Failure, with the system's reason, where it cannot be read.
std::string read_file(const std::filesystem::path& path);

/// A file that appears under its name complete or not at all: the bytes go to a temporary file in
/// the same folder, which commit() brings to the disk and renames. Without a commit the temporary
/// is removed and a file that was there before stays as it was. What appears is a new file: its
/// mode is what the process gives to new files, and a symbolic link under the name is replaced, not
/// followed.
class AtomicFile {
 public:
  /// Throws Failure where the folder does not exist or cannot be written, or where `path` is
  /// something other than a regular file.
  explicit AtomicFile(std::filesystem::path path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  /// Appends bytes. Throws Failure where the disk is full.
  void write(std::string_view bytes);

  /// fsync, close, rename. Throws Failure.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

/// An AtomicFile with these bytes, committed.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// Makes a rename in the folder last: its entries go to the disk. Throws Failure where the
/// disk fails; file systems that cannot do it for folders, and folders that cannot be read, are
/// passed over.
void sync_folder(const std::filesystem::path& folder);

/// Writes all bytes to an open file descriptor; `path` names it in the Failure that a full disk
/// raises.
void write_all(int descriptor, std::string_view bytes, const std::filesystem::path& path);

}  // namespace siamese

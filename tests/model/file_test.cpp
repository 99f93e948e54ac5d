#include "model/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "model/error.h"
#include "tests/temporary_folder.h"

namespace siamese {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

class FileTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
};

TEST_F(FileTest, WritesAndReadsAnyBytes) {
  const std::string bytes("a\0b\r\n\xFF", 6);
  write_file(folder_.path() / "x", bytes);
  EXPECT_EQ(read_file(folder_.path() / "x"), bytes);
  write_file(folder_.path() / "x", "");
  EXPECT_EQ(read_file(folder_.path() / "x"), "");
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"x"});
}

TEST_F(FileTest, IsInvisibleUntilCommitted) {
  const auto path = folder_.path() / "x";
  write_file(path, "old");
  {
    AtomicFile file(path);
    file.write("new");
    EXPECT_EQ(read_file(path), "old");
  }
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"x"}) << "the temporary is removed";

  AtomicFile file(path);
  file.write("ne");
  file.write("w");
  file.commit();
  EXPECT_EQ(read_file(path), "new");
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"x"});
}

// What a killed process leaves behind, whose number comes round again.
TEST_F(FileTest, StaleTemporariesAreInNobodysWay) {
  const auto path = folder_.path() / "x";
  std::string temporary;
  {
    const AtomicFile file(path);
    temporary = folder_.names().front();
  }
  const std::size_t number = temporary.rfind('-') + 1;
  for (int k = 1; k <= 2; ++k) {
    const std::string next = std::to_string(std::stoi(temporary.substr(number)) + k);
    std::ofstream(folder_.path() / (temporary.substr(0, number) + next + ".tmp")) << "stale";
  }
  write_file(path, "new");
  EXPECT_EQ(read_file(path), "new");
  EXPECT_EQ(folder_.names().size(), 3U) << "the stale ones are left alone";
}

TEST_F(FileTest, ReplacesALinkAndNotWhatItNames) {
  write_file(folder_.path() / "target", "old");
  std::filesystem::create_symlink("target", folder_.path() / "link");
  write_file(folder_.path() / "link", "new");
  EXPECT_FALSE(std::filesystem::is_symlink(folder_.path() / "link"));
  EXPECT_EQ(read_file(folder_.path() / "link"), "new");
  EXPECT_EQ(read_file(folder_.path() / "target"), "old");
}

TEST_F(FileTest, NamesWhatCannotBeRead) {
  EXPECT_THAT([this] { read_file(folder_.path() / "none"); },
              ThrowsMessage<Failure>(HasSubstr("none': No such file or directory")));
  EXPECT_THAT([this] { read_file(folder_.path()); },
              ThrowsMessage<Failure>(HasSubstr("expected a regular file")));
  EXPECT_THAT([] { read_file("/dev/zero"); },
              ThrowsMessage<Failure>(HasSubstr("expected a regular file")));
}

TEST_F(FileTest, NamesWhatCannotBeWritten) {
  EXPECT_THAT([this] { write_file(folder_.path() / "none" / "x", "1"); },
              ThrowsMessage<Failure>(HasSubstr("none/x': No such file or directory")));
  EXPECT_THAT([] { write_file("/proc/x", "1"); },
              ThrowsMessage<Failure>(HasSubstr("cannot write '/proc/x': ")));
  EXPECT_THAT([this] { write_file(folder_.path(), "1"); },
              ThrowsMessage<Failure>(HasSubstr("no regular file")));
  EXPECT_THAT([] { write_file("/dev/null", "1"); },
              ThrowsMessage<Failure>(HasSubstr("no regular file")));
}

TEST_F(FileTest, FullDiskIsOneLine) {
  const int full = ::open("/dev/full", O_WRONLY);
  ASSERT_GE(full, 0);
  EXPECT_THAT(
      [full] { write_all(full, "1", "d/x.csv"); },
      ThrowsMessage<Failure>(AllOf(HasSubstr("cannot write 'd/x.csv': No space left on device"),
                                   Not(HasSubstr("\n")))));
  ::close(full);
}

// A limit on the size of files fails a write half-way, as a disk that fills up does.
TEST_F(FileTest, HalfWrittenFileIsRemoved) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{10000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto path = folder_.path() / "x";
  write_file(path, "old");
  EXPECT_THAT([&path] { write_file(path, std::string(20000, 'x')); },
              ThrowsMessage<Failure>(HasSubstr("File too large")));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);

  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"x"});
}

}  // namespace
}  // namespace siamese

#include "landmarks/output_folder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "model/error.h"
#include "model/file.h"
#include "tests/temporary_folder.h"

namespace siamese::landmarks {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(OutputFolder, AppearsWholeOrNotAtAll) {
  const TemporaryFolder root;
  const fs::path path = root.path() / "deep" / "er";
  {
    OutputFolder folder(path / "");  // as "deep/er/"
    folder.write("a.csv", "1");
    folder.write("b.csv", "2");
    EXPECT_TRUE(fs::is_empty(path));
    folder.commit();
  }
  EXPECT_EQ(read_file(path / "a.csv"), "1");
  EXPECT_EQ(read_file(path / "b.csv"), "2");
  {
    OutputFolder folder(root.path() / "other" / "one");
    folder.write("a.csv", "3");
  }
  EXPECT_EQ(root.names(), std::vector<std::string>{"deep"});
}

TEST(OutputFolder, HasNothingOfAKilledRun) {
  const TemporaryFolder root;
  const fs::path left = root.path() / fmt::format(".out.writing-{}", ::getpid());
  fs::create_directory(left);
  write_file(left / "pairs.csv", "stale");
  OutputFolder folder(root.path() / "out");
  folder.write("a.csv", "1");
  folder.commit();
  EXPECT_EQ(read_file(root.path() / "out" / "a.csv"), "1");
  EXPECT_FALSE(fs::exists(root.path() / "out" / "pairs.csv"));
}

TEST(OutputFolder, IsTakenByOneRunAlone) {
  const TemporaryFolder root;
  const OutputFolder first(root.path() / "out");
  EXPECT_THAT([&root] { OutputFolder(root.path() / "out"); },
              ThrowsMessage<UsageError>(HasSubstr("out': it is there already; expected a new")));
}

TEST(OutputFolder, LeavesWhatOthersPutThere) {
  const TemporaryFolder root;
  const fs::path path = root.path() / "out";
  {
    OutputFolder folder(path);
    folder.write("a.csv", "1");
    write_file(path / "pairs.csv", "2");
    EXPECT_THAT([&folder] { folder.commit(); },
                ThrowsMessage<Failure>(HasSubstr("Directory not empty")));
  }
  EXPECT_EQ(root.names(), std::vector<std::string>{"out"});
  EXPECT_EQ(read_file(path / "pairs.csv"), "2");
  EXPECT_FALSE(fs::exists(path / "a.csv"));
}

}  // namespace
}  // namespace siamese::landmarks

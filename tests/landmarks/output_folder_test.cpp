#include "landmarks/output_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
    EXPECT_FALSE(fs::exists(path));
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
  const fs::path left = root.path() / ".out.writing";
  fs::create_directory(left);
  write_file(left / "pairs.csv", "stale");
  OutputFolder folder(root.path() / "out");
  folder.write("a.csv", "1");
  folder.commit();
  EXPECT_EQ(read_file(root.path() / "out" / "a.csv"), "1");
  EXPECT_EQ(root.names(), std::vector<std::string>{"out"});
  EXPECT_FALSE(fs::exists(root.path() / "out" / "pairs.csv"));
}

TEST(OutputFolder, MayBeThereEmpty) {
  const TemporaryFolder root;
  const fs::path path = root.path() / "out";
  fs::create_directory(path);
  { const OutputFolder folder(path); }
  EXPECT_EQ(root.names(), std::vector<std::string>{"out"}) << "whose it is, is left";
  OutputFolder folder(path);
  folder.write("a.csv", "1");
  folder.commit();
  EXPECT_EQ(read_file(path / "a.csv"), "1");
}

TEST(OutputFolder, IsTakenByOneRunAlone) {
  const TemporaryFolder root;
  const fs::path path = root.path() / "out";
  {
    OutputFolder first(path);
    EXPECT_THAT([&path] { OutputFolder second(path); },
                ThrowsMessage<UsageError>(HasSubstr("out': another run is writing it, in '")));
    first.write("a.csv", "1");
    first.commit();
    EXPECT_THAT([&path] { OutputFolder second(path); },
                ThrowsMessage<UsageError>(HasSubstr("out': it is there already; expected a new")));
  }
  EXPECT_EQ(root.names(), std::vector<std::string>{"out"});
  EXPECT_EQ(read_file(path / "a.csv"), "1");
}

TEST(OutputFolder, LeavesWhatOthersPutThere) {
  const TemporaryFolder root;
  const fs::path path = root.path() / "out";
  {
    OutputFolder folder(path);
    folder.write("a.csv", "1");
    fs::create_directory(path);
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

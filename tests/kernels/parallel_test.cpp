// Teams of threads: every member is there once, all meet at every barrier, and where no team can be
// had the caller works alone.

#include "kernels/cpu/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace siamese {
namespace {

TEST(Parallel, EveryMemberComesOnce) {
  for (const int threads : {1, 2, 5, 2, 9}) {  // the pool grows, and lends a part of itself
    std::vector<std::atomic<int>> came(static_cast<std::size_t>(threads));
    std::atomic<int> size = 0;
    parallel(threads, [&](Team team) {
      ++came[static_cast<std::size_t>(team.index())];
      size = team.size();
    });
    EXPECT_EQ(size, threads);
    for (const auto& count : came) EXPECT_EQ(count, 1);
  }
}

// Each member writes its own number before a barrier and reads its neighbour's after it, with
// nothing atomic; ThreadSanitizer sees what a barrier that does not order would do.
TEST(Parallel, ABarrierOrdersWhatIsBeforeAndAfter) {
  constexpr int threads = 3;
  constexpr int rounds = 2000;
  std::vector<int> written(threads, 0);
  std::vector<int> wrong(threads, 0);
  parallel(threads, [&](Team team) {
    const auto own = static_cast<std::size_t>(team.index());
    const auto next = static_cast<std::size_t>((team.index() + 1) % team.size());
    for (int round = 1; round <= rounds; ++round) {
      written[own] = round;
      team.barrier();
      if (written[next] != round) ++wrong[own];
      team.barrier();
    }
  });
  EXPECT_EQ(wrong, std::vector<int>(threads, 0));
  EXPECT_EQ(written, std::vector<int>(threads, rounds));
}

// One member comes later than threads go to sleep.
TEST(Parallel, WaitsForALateMember) {
  std::atomic<int> came = 0;
  parallel(3, [&](Team team) {
    if (team.index() == team.size() - 1) std::this_thread::sleep_for(std::chrono::milliseconds(30));
    ++came;
    team.barrier();
    EXPECT_EQ(came, team.size());
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));  // now they all sleep
  came = 0;
  parallel(3, [&](Team) { ++came; });
  EXPECT_EQ(came, 3);
}

TEST(Parallel, ATeamWithinATeamIsItsCallerAlone) {
  std::atomic<int> inner = 0;
  parallel(2, [&](Team) {
    parallel(2, [&](Team team) {
      EXPECT_EQ(team.size(), 1);
      EXPECT_EQ(most_threads(), 1);  // for Eigen's products too
      team.barrier();
      ++inner;
    });
  });
  EXPECT_EQ(inner, 2);
}

// Callers of different threads do not share a team, nor wait for each other's.
TEST(Parallel, CallersAtTheSameTimeEachGetTheirWorkDone) {
  constexpr int rounds = 500;
  std::atomic<int> shares = 0;
  const auto call = [&] {
    for (int round = 0; round < rounds; ++round) {
      parallel(2, [&](Team team) {
        const Team::Range range = team.share(10);
        shares += static_cast<int>(range.end - range.begin);
        team.barrier();
      });
    }
  };
  std::thread other(call);
  call();
  other.join();
  EXPECT_EQ(shares, 2 * 10 * rounds);
}

}  // namespace
}  // namespace siamese

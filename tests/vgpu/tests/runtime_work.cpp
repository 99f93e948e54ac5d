#include "tests/vgpu/runtime/work.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <thread>

namespace vgpu {
namespace {

// A queue whose pieces of work write down that they ran.
class WorkQueueTest : public testing::Test {
 protected:
  std::function<void()> note(const std::string& name) {
    return [this, name] { log_ += name; };
  }

  std::mutex mutex_;
  std::unique_lock<std::mutex> lock_{mutex_};
  WorkQueue queue_{mutex_, 0};
  std::string log_;
};

TEST_F(WorkQueueTest, RunsNothingBeforeItIsWaitedFor) {
  const WorkPtr a = queue_.submit(note("a"), {});
  EXPECT_EQ(log_, "");
  EXPECT_FALSE(WorkQueue::done(a));
  queue_.finish(a);
  EXPECT_EQ(log_, "a");
  EXPECT_TRUE(WorkQueue::done(a));
  queue_.finish(a);
  EXPECT_EQ(log_, "a");
}

TEST_F(WorkQueueTest, RunsWhatWorkComesAfterAndNothingElse) {
  const WorkPtr a = queue_.submit(note("a"), {});
  const WorkPtr b = queue_.submit(note("b"), {a});
  queue_.submit(note("x"), {a});
  const WorkPtr c = queue_.submit(note("c"), {b, nullptr});
  queue_.finish(c);
  EXPECT_EQ(log_, "abc");
  EXPECT_EQ(queue_.pending(), 1U);
}

TEST_F(WorkQueueTest, RunsUnorderedWorkLatestFirst) {
  const WorkPtr a = queue_.submit(note("a"), {});
  queue_.submit(note("b"), {});
  queue_.submit(note("c"), {a});
  queue_.finish_all();
  EXPECT_EQ(log_, "acb");
}

TEST(WorkQueue, DrawsOtherOrdersWithOtherSeedsAndKeepsTheOneAskedFor) {
  bool differs = false;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::mutex mutex;
    const std::lock_guard lock(mutex);
    WorkQueue queue(mutex, seed);
    std::string log;
    const auto note = [&](char name) { return [&log, name] { log += name; }; };
    const WorkPtr a = queue.submit(note('a'), {});
    queue.submit(note('x'), {});
    queue.submit(note('b'), {a});
    queue.finish_all();
    EXPECT_LT(log.find('a'), log.find('b'));
    EXPECT_EQ(log.size(), 3U);
    differs = differs || log != "abx";
  }
  EXPECT_TRUE(differs);
}

TEST_F(WorkQueueTest, HoldsLongChains) {
  WorkPtr last;
  int runs = 0;
  for (int i = 0; i < 100000; ++i) last = queue_.submit([&] { ++runs; }, {last});
  EXPECT_LE(queue_.pending(), 1024U);  // beyond that the oldest has to run
  EXPECT_GT(queue_.pending(), 1000U);
  queue_.finish(last);
  EXPECT_EQ(runs, 100000);
}

TEST_F(WorkQueueTest, LetsAnErrorOutAndGoesOn) {
  const WorkPtr bad = queue_.submit([] { throw std::runtime_error("fault"); }, {});
  const WorkPtr next = queue_.submit(note("n"), {bad});
  EXPECT_THROW(queue_.finish(next), std::runtime_error);
  EXPECT_TRUE(WorkQueue::done(bad));
  queue_.finish(next);
  EXPECT_EQ(log_, "n");
}

TEST_F(WorkQueueTest, AbandonsEverything) {
  const WorkPtr a = queue_.submit(note("a"), {});
  const WorkPtr b = queue_.submit(note("b"), {a});
  queue_.abandon();
  queue_.finish(b);
  queue_.finish_all();
  EXPECT_EQ(log_, "");
  EXPECT_EQ(queue_.pending(), 0U);
}

TEST_F(WorkQueueTest, WaitsForWorkThatRunsInAnotherThread) {
  // The work releases the lock, as a host function does, and meets the other thread there.
  std::thread other;
  WorkPtr work;
  work = queue_.submit(
      [&] {
        other = std::thread([&] {
          const std::lock_guard lock(mutex_);
          queue_.finish(work);
          log_ += "other";
        });
        mutex_.unlock();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        mutex_.lock();
        log_ += "work,";
      },
      {});
  queue_.finish(work);
  lock_.unlock();
  other.join();
  EXPECT_EQ(log_, "work,other");
}

}  // namespace
}  // namespace vgpu

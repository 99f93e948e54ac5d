#include "bench/timing.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "bench/ceilings.h"
#include "bench/cuda_ceilings.h"
#include "bench/memory.h"

namespace siamese::bench {
namespace {

void spin(double seconds) {
  const double end = now() + seconds;
  while (now() < end) {
  }
}

TEST(Timing, ASpinOfFiveMillisecondsTakesAtLeastThat) {
  const auto stopwatch = make_stopwatch(Device::cpu);
  EXPECT_GE(stopwatch->seconds([](Stream) { spin(5e-3); }), 5e-3);
}

// Runs whose times are told rather than taken.
TEST(Timing, CalibrationFillsTheGoal) {
  EXPECT_EQ(calibrate([] { return 0.01; }, {0.1, 1e9}), 10);
  EXPECT_EQ(calibrate([] { return 3.0; }, {0.1, 1e9}), 1);
}

TEST(Timing, TheFirstRunDecidesNothing) {
  int runs = 0;
  EXPECT_EQ(calibrate([&] { return runs++ == 0 ? 0.2 : 0.001; }, {0.1, 1e9}), 100);
}

TEST(Timing, TheCapCountsWhatIsNotTimed) {
  // A launch of a microsecond whose inputs take 2 ms to put back.
  const std::int64_t launches = calibrate(
      [] {
        spin(2e-3);
        return 1e-6;
      },
      {0.1, 0.02});
  EXPECT_GE(launches, 1);
  EXPECT_LE(launches, 10);
}

TEST(Timing, AnImmeasurablyShortRunStillEnds) {
  EXPECT_EQ(calibrate([] { return 0.0; }, {1e6, 1e9}), 1000000);
}

TEST(Ceilings, BandwidthIsThatOfTheLargestSetWhichIsNoLarger) {
  Ceilings ceilings;
  ceilings.float32_all_cores = 100.0;
  ceilings.float64_all_cores = 50.0;
  ceilings.bandwidth = {{10.0, 8.0}, {20.0, 4.0}, {40.0, 2.0}};
  EXPECT_EQ(ceilings.bytes_per_second(5.0), 8.0);
  EXPECT_EQ(ceilings.bytes_per_second(20.0), 4.0);
  EXPECT_EQ(ceilings.bytes_per_second(39.0), 4.0);
  EXPECT_EQ(ceilings.bytes_per_second(1e9), 2.0);
  EXPECT_EQ(ceilings.least_seconds({1000.0, 20.0}, Precision::float32), 10.0);
  EXPECT_EQ(ceilings.least_seconds({1000.0, 20.0}, Precision::float64), 20.0);
  EXPECT_EQ(ceilings.least_seconds({1.0, 20.0}, Precision::float32), 5.0);
}

TEST(Ceilings, TakeNoMoreMemoryThanIsBeyondTheCaches) {
  for (const int threads : {1, 16}) {
    const std::vector<Bandwidth> sets = measure_ceilings(threads, 1e-3).bandwidth;
    const auto beyond = static_cast<double>(bytes_beyond_caches());
    EXPECT_LT(sets.back().bytes, 1.05 * beyond) << threads;  // free memory may change
    EXPECT_GT(sets.back().bytes, 0.9 * beyond) << threads;
    for (std::size_t k = 1; k < sets.size(); ++k) EXPECT_LT(sets[k - 1].bytes, sets[k].bytes);
  }
}

TEST(CudaCeilings, EachPrecisionHasItsPeakAndBytesThatFitFlowFromTheCache) {
  CudaCeilings ceilings;
  ceilings.float32 = 100.0;
  ceilings.tf32 = 400.0;
  ceilings.bf16 = 800.0;
  ceilings.float64 = 50.0;
  ceilings.l2_bytes = 20.0;
  ceilings.l2_bandwidth = 8.0;
  ceilings.memory_bandwidth = 2.0;
  EXPECT_EQ(ceilings.peak(Precision::tf32x3), 400.0);
  EXPECT_EQ(ceilings.least_seconds({1600.0, 1.0}, Precision::float32), 16.0);
  EXPECT_EQ(ceilings.least_seconds({1600.0, 1.0}, Precision::tf32), 4.0);
  EXPECT_EQ(ceilings.least_seconds({1600.0, 1.0}, Precision::bf16), 2.0);
  EXPECT_EQ(ceilings.least_seconds({1600.0, 1.0}, Precision::float64), 32.0);
  EXPECT_EQ(ceilings.least_seconds({1.0, 20.0}, Precision::bf16), 2.5);
  EXPECT_EQ(ceilings.least_seconds({1.0, 21.0}, Precision::bf16), 10.5);
}

TEST(Ceilings, MeasuredOnesArePositiveAndFall) {
  const Ceilings ceilings = measure_ceilings(1, 0.05);
  EXPECT_GT(ceilings.float32_one_core, 0.0);
  EXPECT_GT(ceilings.float64_all_cores, 0.0);
  ASSERT_GE(ceilings.bandwidth.size(), 2U);
  for (std::size_t k = 1; k < ceilings.bandwidth.size(); ++k) {
    EXPECT_LT(ceilings.bandwidth[k - 1].bytes, ceilings.bandwidth[k].bytes);
    EXPECT_GE(ceilings.bandwidth[k - 1].bytes_per_second, ceilings.bandwidth[k].bytes_per_second);
    EXPECT_GT(ceilings.bandwidth[k].bytes_per_second, 0.0);
  }
}

}  // namespace
}  // namespace siamese::bench

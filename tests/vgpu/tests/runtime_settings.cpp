#include "tests/vgpu/runtime/settings.h"

#include <gtest/gtest.h>

namespace vgpu {
namespace {

TEST(Settings, ReadsNamesOfChecks) {
  Checks checks;
  EXPECT_TRUE(parse_checks("race,init", checks));
  EXPECT_TRUE(checks.race && checks.init);
  EXPECT_FALSE(checks.memory || checks.sync);
  EXPECT_TRUE(parse_checks("none", checks));
  EXPECT_FALSE(checks.memory || checks.init || checks.race || checks.sync);
  EXPECT_FALSE(parse_checks("memory,bounds", checks));
  EXPECT_FALSE(parse_checks("memory,,race", checks));
}

TEST(Settings, RefusesWhatItCannotRead) {
  const auto read_with = [](const char* name, const char* value) {
    setenv(name, value, 1);
    settings_from_environment();
  };
  EXPECT_EXIT(read_with("VGPU_SEED", "12x"), testing::ExitedWithCode(2),
              "VGPU_SEED=12x: expected a whole number");
  EXPECT_EXIT(read_with("VGPU_THREADS", "-1"), testing::ExitedWithCode(2), "VGPU_THREADS=-1");
  EXPECT_EXIT(read_with("VGPU_CHECK", "everything"), testing::ExitedWithCode(2),
              "VGPU_CHECK=everything: expected names of memory, init, race, sync");
}

TEST(Settings, ReadsTheEnvironment) {
  setenv("VGPU_SEED", "18446744073709551615", 1);
  setenv("VGPU_CHECK", "race", 1);
  setenv("VGPU_WATCHDOG", "12", 1);
  const Settings settings = settings_from_environment();
  for (const char* name : {"VGPU_SEED", "VGPU_CHECK", "VGPU_WATCHDOG"}) unsetenv(name);
  EXPECT_EQ(settings.seed, ~std::uint64_t{0});
  EXPECT_TRUE(settings.checks.race);
  EXPECT_FALSE(settings.checks.memory);
  EXPECT_EQ(settings.watchdog, 12u);
  EXPECT_EQ(settings_from_environment().watchdog, Options{}.watchdog);
}

}  // namespace
}  // namespace vgpu

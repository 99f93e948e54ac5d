// How fast the virtual GPU is: lane instructions a second of processor time, on one host thread,
// for C [m, n] = A [m, k] B [k, n] in float32 by tiles of 16 x 16 in shared memory, as nvcc
// compiles the textbook kernel. Usage: vgpu_speed [m n k].
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "tests/vgpu/device.h"

namespace {

constexpr int kTile = 16;

std::string tiled_product() {
  std::string inner;
  for (int i = 0; i < kTile; ++i) {
    inner += fmt::format(
        "  ld.shared.f32 %x, [%row+{}];\n  ld.shared.f32 %y, [%column+{}];\n"
        "  fma.rn.f32 %sum, %x, %y, %sum;\n",
        4 * i, 4 * kTile * i);
  }
  return R"(
.version 8.7
.target sm_90
.address_size 64
.visible .entry product(.param .u64 pa, .param .u64 pb, .param .u64 pc, .param .u32 pm,
                        .param .u32 pn, .param .u32 pk)
{
  .shared .align 4 .b8 as[1024];
  .shared .align 4 .b8 bs[1024];
  .reg .b64 %a, %b, %c, %at;
  .reg .b32 %m, %n, %k, %tx, %ty, %i, %j, %t, %l, %o, %row, %column, %sa, %sb;
  .reg .f32 %x, %y, %sum;
  .reg .pred %p, %q;
  ld.param.u64 %a, [pa];
  ld.param.u64 %b, [pb];
  ld.param.u64 %c, [pc];
  ld.param.u32 %m, [pm];
  ld.param.u32 %n, [pn];
  ld.param.u32 %k, [pk];
  mov.u32 %tx, %tid.x;
  mov.u32 %ty, %tid.y;
  mov.u32 %i, %ctaid.y;
  mad.lo.u32 %i, %i, 16, %ty;
  mov.u32 %j, %ctaid.x;
  mad.lo.u32 %j, %j, 16, %tx;
  mov.u32 %sa, as;
  mov.u32 %sb, bs;
  mad.lo.u32 %row, %ty, 64, %sa;
  mad.lo.u32 %column, %tx, 4, %sb;
  mad.lo.u32 %sa, %tx, 4, %row;
  mad.lo.u32 %sb, %ty, 64, %column;
  mov.f32 %sum, 0f00000000;
  mov.u32 %t, 0;
next:
  add.u32 %l, %t, %tx;
  setp.lt.u32 %p, %i, %m;
  setp.lt.and.u32 %p, %l, %k, %p;
  mov.f32 %x, 0f00000000;
  mad.lo.u32 %o, %i, %k, %l;
  mad.wide.u32 %at, %o, 4, %a;
  @%p ld.global.f32 %x, [%at];
  st.shared.f32 [%sa], %x;
  add.u32 %l, %t, %ty;
  setp.lt.u32 %p, %j, %n;
  setp.lt.and.u32 %p, %l, %k, %p;
  mov.f32 %y, 0f00000000;
  mad.lo.u32 %o, %l, %n, %j;
  mad.wide.u32 %at, %o, 4, %b;
  @%p ld.global.f32 %y, [%at];
  st.shared.f32 [%sb], %y;
  bar.sync 0;
)" + inner +
         R"(
  bar.sync 0;
  add.u32 %t, %t, 16;
  setp.lt.u32 %p, %t, %k;
  @%p bra next;
  setp.lt.u32 %p, %i, %m;
  setp.lt.and.u32 %p, %j, %n, %p;
  mad.lo.u32 %o, %i, %n, %j;
  mad.wide.u32 %at, %o, 4, %c;
  @%p st.global.f32 [%at], %sum;
  ret;
}
)";
}

double processor_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Shape {
  std::uint32_t m = 256, n = 200, k = 200;
};

std::vector<float> random_matrix(std::size_t size, std::mt19937& generator) {
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(size);
  for (float& v : values) v = uniform(generator);
  return values;
}

// Whether C is A B to float32's accuracy.
bool right(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& c,
           const Shape& s) {
  for (std::size_t i = 0; i < s.m; ++i) {
    for (std::size_t j = 0; j < s.n; ++j) {
      double sum = 0;
      for (std::size_t l = 0; l < s.k; ++l) sum += double{a[i * s.k + l]} * b[l * s.n + j];
      if (!(std::abs(sum - c[i * s.n + j]) <= 1e-6 * s.k)) return false;
    }
  }
  return true;
}

int measure(const Shape& s) {
  vgpu::Memory memory;
  vgpu::Reports reports;
  const auto module = vgpu::Module::load(memory, tiled_product(), "speed");
  vgpu::Launch launch;
  launch.kernel = module->find_kernel("product");
  launch.grid = {(s.n + kTile - 1) / kTile, (s.m + kTile - 1) / kTile, 1};
  launch.block = {kTile, kTile, 1};
  std::mt19937 generator(1);
  const std::vector<float> a = random_matrix(std::size_t{s.m} * s.k, generator);
  const std::vector<float> b = random_matrix(std::size_t{s.k} * s.n, generator);
  std::vector<float> c(std::size_t{s.m} * s.n);
  const auto allocate = [&](std::size_t count) {
    return memory.allocate(4 * count, vgpu::MemoryKind::device, "speed").value();
  };
  const std::uint64_t addresses[] = {allocate(a.size()), allocate(b.size()), allocate(c.size())};
  memory.write(addresses[0], a.data(), 4 * a.size());
  memory.write(addresses[1], b.data(), 4 * b.size());
  launch.parameters.resize(vgpu::info(*launch.kernel).parameter_bytes);
  std::memcpy(launch.parameters.data(), addresses, sizeof addresses);
  std::memcpy(launch.parameters.data() + sizeof addresses, &s, sizeof s);

  vgpu::Counters counters;
  vgpu::Options options;
  options.reports = &reports;
  options.threads = 1;
  options.counters = &counters;
  const vgpu::Outcome outcome = vgpu::run(memory, launch, options);
  if (!outcome.ok()) {
    fmt::print(stderr, "{}\n", outcome.message);
    return 1;
  }
  const auto& executed = counters.thread_instructions;
  const auto instructions =
      static_cast<double>(std::accumulate(executed.begin(), executed.end(), std::uint64_t{0}));
  options.counters = nullptr;

  const struct {
    const char* name;
    vgpu::Checks checks;
  } modes[] = {{"no checks", {false, false, false, true}},
               {"memory", {true, false, false, true}},
               {"memory, init", {true, true, false, true}},
               {"memory, init, race", {true, true, true, true}}};
  for (const auto& mode : modes) {
    options.checks = mode.checks;
    std::vector<double> seconds;
    for (int i = 0; i < 9; ++i) {
      const double start = processor_seconds();
      vgpu::run(memory, launch, options);
      seconds.push_back(processor_seconds() - start);
    }
    std::sort(seconds.begin(), seconds.end());
    const double median = seconds[seconds.size() / 2];
    fmt::print("{:20} {:8.2f} ms, {:.2f} billion lane instructions a second\n", mode.name,
               1e3 * median, 1e-9 * instructions / median);
  }
  memory.read(c.data(), addresses[2], 4 * c.size());
  if (!right(a, b, c, s) || reports.total() != 0) {
    fmt::print(stderr, "the product is wrong, or something was reported: {}\n", reports.summary());
    return 1;
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  Shape shape;
  if (count == 4) {
    const auto number = [&](int i) {
      return static_cast<std::uint32_t>(std::strtoul(arguments[i], nullptr, 10));
    };
    shape = {number(1), number(2), number(3)};
  }
  return measure(shape);
}

// Lanes that part: loops with different trip counts and early exits, a lock that each lane takes in
// turn, a struct by value, arrays indexed at run time.
#include "tests/vgpu/programs/program.cuh"

struct Rule {
  int multiplier;
  int addend;
  int limit;
  unsigned char letters[3];
};

// Steps of the Collatz sequence from i + 1, but no more than the rule's limit.
__global__ void collatz(int n, Rule rule, int* steps) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  long long value = i + 1;
  int count = 0;
  int histogram[3] = {0, 0, 0};
  while (value != 1) {
    if (count == rule.limit) break;
    ++histogram[value % 3];
    value = value % 2 == 0 ? value / 2 : rule.multiplier * value + rule.addend;
    ++count;
  }
  const int sum = histogram[0] + histogram[1] + histogram[2];
  steps[i] = count + 1000 * (sum == count) + rule.letters[i % 3];
}

// Each lane of a warp in turn: needs lanes of a warp that proceed independently of one another.
__global__ void locked_increment(int* lock, int* counter) {
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0, 1) == 0) {
      __threadfence();
      const int value = *static_cast<volatile int*>(counter);
      *static_cast<volatile int*>(counter) = value + 1;
      __threadfence();
      atomicExch(lock, 0);
      done = true;
    }
  }
}

int main() {
  constexpr int n = 1000;
  const Rule rule{3, 1, 100, {'a', 'b', 'c'}};
  std::vector<int> want(n);
  for (int i = 0; i < n; ++i) {
    long long value = i + 1;
    int count = 0;
    for (; value != 1 && count < rule.limit; ++count) {
      value = value % 2 == 0 ? value / 2 : 3 * value + 1;
    }
    want[i] = count + 1000 + rule.letters[i % 3];
  }
  DeviceArray<int> steps(n);
  collatz<<<blocks_for(n, 192), 192>>>(n, rule, steps.data());
  check_launch();
  expect_close(steps.values(), want, 0);

  DeviceArray<int> lock(std::vector<int>{0}), counter(std::vector<int>{0});
  locked_increment<<<3, 64>>>(lock.data(), counter.data());
  check_launch();
  expect_close(counter.values(), std::vector<int>{3 * 64}, 0);
}

// What the project's CUDA backend says of the device: whether it can be used, or why not.
#include <cstdio>

#include "kernels/backends.h"

int main() {
  const auto reason = siamese::cuda_backend().why_unavailable();
  std::puts(reason ? reason->c_str() : "usable");
}

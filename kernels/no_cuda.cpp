#include "kernels/backends.h"
#include "model/error.h"

namespace siamese {
namespace {

constexpr const char* reason = "built without CUDA: " SIAMESE_NO_CUDA;

// Stands where the CUDA backend would: unavailable, with the reason, in every call.
class NoCuda final : public DeviceBackend {
 public:
  std::optional<std::string> why_unavailable() const override { return reason; }
  void* allocate(std::int64_t) override { throw Failure(reason); }
  void release(void*) noexcept override {}
  void poison(void*, std::int64_t) override { throw Failure(reason); }
  void copy_in(void*, const void*, std::int64_t) override { throw Failure(reason); }
  void copy_out(void*, const void*, std::int64_t) override { throw Failure(reason); }
  void synchronize(Stream) override { throw Failure(reason); }
  std::string description() const override { return reason; }
};

}  // namespace

DeviceBackend& cuda_backend() {
  static NoCuda none;
  return none;
}

}  // namespace siamese

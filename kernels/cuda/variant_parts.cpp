#include "kernels/cuda/variant_parts.h"

#include <fmt/format.h>
#include <nvtx3/nvToolsExt.h>

#include "kernels/cuda/shared_memory.h"
#include "model/error.h"
#include "model/shape_text.h"

namespace siamese::cuda {
namespace {

class Range {
 public:
  explicit Range(const std::string& name) { nvtxRangePushA(name.c_str()); }
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;
  ~Range() { nvtxRangePop(); }
};

}  // namespace

std::optional<std::string> why_too_wide(std::int64_t width, std::int64_t bytes) {
  const std::int64_t most = shared_limit(shared_bytes_90);
  if (bytes <= most) return std::nullopt;
  return fmt::format("rows of {} take {} bytes of shared memory a block; expected at most {}",
                     width, bytes, most);
}

void check_counts(PairForm form, std::int64_t points, std::int64_t pairs) {
  if (form == PairForm::dense && points != 2 * pairs) {
    throw UsageError(fmt::format("dense pairs: {} points for {} pairs; expected 2 points a pair",
                                 points, pairs));
  }
}

std::string shape_text(std::string_view what, std::int64_t count) {
  return fmt::format("{}:{}", what, count);
}

std::string shape_text(std::int64_t points, std::int64_t pairs, std::int64_t trainings) {
  return batch_text(points, pairs, trainings);
}

Launch traced(std::string_view op, std::string_view variant, Precision precision,
              const std::string& shape, Launch launch) {
  return [range = fmt::format("{}/{}/{}/{}", op, variant, name(precision), shape),
          launch = std::move(launch)](Stream stream) {
    const Range open(range);
    launch(stream);
  };
}

}  // namespace siamese::cuda

#include "model/shape_text.h"

#include <fmt/format.h>

namespace siamese {

std::string batch_text(std::int64_t points, std::int64_t pairs, std::int64_t trainings) {
  const std::string text = fmt::format("points:{}/pairs:{}", points, pairs);
  return trainings == 1 ? text : fmt::format("{}/trainings:{}", text, trainings);
}

}  // namespace siamese

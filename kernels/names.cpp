#include "kernels/device.h"
#include "kernels/variant.h"
#include "model/error.h"

namespace siamese {

std::string_view name(Device device) {
  switch (device) {
    case Device::cpu:
      return "cpu";
    case Device::cuda:
      return "cuda";
  }
  throw UsageError("unknown device");
}

std::string_view name(Precision precision) {
  switch (precision) {
    case Precision::float64:
      return "float64";
    case Precision::float32:
      return "float32";
    case Precision::tf32:
      return "tf32";
    case Precision::tf32x3:
      return "tf32x3";
    case Precision::bf16:
      return "bf16";
  }
  throw UsageError("unknown precision");
}

}  // namespace siamese

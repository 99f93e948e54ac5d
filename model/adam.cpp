#include "model/adam.h"

#include "model/error.h"

namespace siamese {

std::string_view name(AdamForm form) {
  switch (form) {
    case AdamForm::keras:
      return "keras";
    case AdamForm::torch:
      return "torch";
  }
  throw UsageError("unknown form of Adam");
}

}  // namespace siamese

#include "landmarks/interrupt.h"

#include "model/interrupt.h"

namespace siamese::landmarks {

void check_interrupt() {
  if (interrupted()) throw Interrupted("stopped, as asked; nothing was written");
}

}  // namespace siamese::landmarks

"""A training step as siamese_step wrote it: shapes, weights, data, and what the float64 reference
makes of them."""

import json
import math
from pathlib import Path

import numpy as np

# float32's rounding over some thousand sums; a wrong loss or gradient is off by far more.
LOSS_TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-4

# The relative error u of an operand that tensor cores multiply. The loss is off by a small multiple
# of it. Of the units and pairs it puts a share that grows with u on the other side of a kink. Each
# is then wrong by its own size, and as squares add up the gradients' norm is off by about sqrt(u):
# by at most 2.1 of it where both precisions were emulated on this folder's shapes. Twice that is
# allowed; a wrong sign or a missing layer is off by about 1.
OPERAND_ERROR = {"float32": 0.0, "tf32": 2.0 ** -11, "bf16": 2.0 ** -8}


class Wrong(Exception):
    """Another library's loss or gradient is not the reference's."""


class Problem:
    def __init__(self, folder, precision="float32"):
        self.folder = Path(folder)
        self.precision = precision  # that products are to be computed in
        self.__dict__.update(json.loads((self.folder / "problem.json").read_text()))
        self.x = self._read("x")  # [n, d0]
        self.parameters = self._layers(self._read("parameters")[:, 0])  # [(W [in, out], b [out])]
        self.gradients = self._read("gradients")[:, 0]  # flat, as the parameters
        if self.form == "all":
            self.coordinates = self._read("coordinates")  # C [n, c]
        else:
            self.first = self._read("first")[:, 0].astype(np.int64)
            self.second = self._read("second")[:, 0].astype(np.int64)
            self.targets = self._read("targets")[:, 0]
        if (self.distance, self.criterion) != ("euclidean", "absolute"):
            raise ValueError(f"loss {self.distance}/{self.criterion}; the peers compute "
                             "euclidean/absolute alone")

    def _read(self, name):
        return np.load(self.folder / f"{name}.npy").astype(np.float32)

    def _layers(self, flat):
        layers, begin = [], 0
        for layer in self.layers:
            inputs, outputs = layer["inputs"], layer["outputs"]
            weights = flat[begin:begin + inputs * outputs].reshape(inputs, outputs)
            begin += inputs * outputs
            layers.append((weights, flat[begin:begin + outputs]))
            begin += outputs
        return layers

    @property
    def activations(self):
        return [layer["activation"] for layer in self.layers]

    def check(self, loss, gradients):
        """`gradients`: [(dW, db)] in the parameters' order. Raises Wrong."""
        flat = np.concatenate([np.asarray(part, np.float64).ravel()
                               for layer in gradients for part in layer])
        operand_error = OPERAND_ERROR[self.precision]
        loss_tolerance = LOSS_TOLERANCE + 4 * operand_error
        gradient_tolerance = GRADIENT_TOLERANCE + 4 * math.sqrt(operand_error)
        loss_error = abs(float(loss) - self.loss) / abs(self.loss)
        gradient_error = np.linalg.norm(flat - self.gradients) / np.linalg.norm(self.gradients)
        if not (loss_error <= loss_tolerance and gradient_error <= gradient_tolerance):
            raise Wrong(f"loss off by {loss_error:.2g} (at most {loss_tolerance:.2g}), gradients "
                        f"by {gradient_error:.2g} (at most {gradient_tolerance:.2g})")

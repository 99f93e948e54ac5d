"""A training step written out by hand in NumPy, whose products are OpenBLAS's: one pass over the
points, pairs gathered from it."""

import numpy as np

from serve import done, serve

ACTIVATE = {"relu": lambda z: np.maximum(z, 0, out=z), "tanh": lambda z: np.tanh(z, out=z),
            "linear": lambda z: z,
            "sigmoid": lambda z: np.reciprocal(1 + np.exp(np.negative(z, out=z), out=z), out=z)}
# dz = dh act'(z), told from h.
DERIVE = {"relu": lambda dh, h: dh * (h > 0), "tanh": lambda dh, h: dh * (1 - h * h),
          "linear": lambda dh, h: dh, "sigmoid": lambda dh, h: dh * h * (1 - h)}


def distances(difference):
    return np.sqrt(np.einsum("ij,ij->i", difference, difference))


def make(problem, _device, _words):
    if problem.form == "all":
        first, second = np.triu_indices(problem.points, 1)
        targets = distances(problem.coordinates[first] - problem.coordinates[second])
    else:
        first, second, targets = problem.first, problem.second, problem.targets
    parameters = [[part.copy() for part in layer] for layer in problem.parameters]
    moments = [[np.zeros_like(part) for part in layer] for layer in parameters]
    squares = [[np.zeros_like(part) for part in layer] for layer in parameters]
    steps = 0

    def scatter(rows, gradient):
        # np.add.at is slower than a sum a column.
        return np.stack([np.bincount(rows, column, problem.points) for column in gradient.T],
                        axis=1).astype(np.float32)

    def gradients():
        h = [problem.x]
        for (weights, bias), activation in zip(parameters, problem.activations):
            h.append(ACTIVATE[activation](h[-1] @ weights + bias))
        difference = h[-1][first] - h[-1][second]
        d = distances(difference)
        error = d - targets
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(d > 0, np.sign(error) / d, 0).astype(np.float32) / len(d)
        g = slope[:, None] * difference
        dh = scatter(first, g) - scatter(second, g)
        found = []
        for layer in range(len(parameters) - 1, -1, -1):
            dz = DERIVE[problem.activations[layer]](dh, h[layer + 1])
            found.append((h[layer].T @ dz, dz.sum(axis=0)))
            if layer > 0:
                dh = dz @ parameters[layer][0].T
        return np.abs(error).mean(dtype=np.float64), found[::-1]

    problem.check(*gradients())

    def step():
        nonlocal steps
        steps += 1
        rate = (problem.learning_rate * np.sqrt(1 - problem.beta2 ** steps)
                / (1 - problem.beta1 ** steps))
        _, found = gradients()
        for layer, layer_gradients in enumerate(found):
            for part, g in enumerate(layer_gradients):
                m, v = moments[layer][part], squares[layer][part]
                m += np.float32(1 - problem.beta1) * (g - m)
                v += np.float32(1 - problem.beta2) * (g * g - v)
                parameters[layer][part] -= np.float32(rate) * m / (np.sqrt(v) +
                                                                   np.float32(problem.epsilon))

    return step, done


serve(make)

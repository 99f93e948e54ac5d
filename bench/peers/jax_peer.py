"""A training step by JAX, all of it under jit. Words: `twice`, `once` and `unique` as for PyTorch;
of all pairs `unique` has a list with each pair once, the others the square, which has each twice."""

import os

from serve import serve

# JAX's names of precisions; its default on a GPU is TF32.
PRECISION = {"float32": "highest", "tf32": "tensorfloat32", "bf16": "BF16_BF16_F32"}


def make(problem, device, words):
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # others are on the same card
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_default_device", jax.devices(device)[0])
    jax.config.update("jax_default_matmul_precision", PRECISION[problem.precision])

    activation = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh,
                  "linear": lambda z: z}
    functions = [activation[name] for name in problem.activations]
    x = jnp.asarray(problem.x)

    def m1(parameters, h):
        for (weights, bias), function in zip(parameters, functions):
            h = function(h @ weights + bias)
        return h

    def norm(difference):
        square = jnp.sum(difference * difference, axis=-1)
        apart = square > 0  # the root's derivative at 0 is infinite: 0, as everywhere here
        return jnp.where(apart, jnp.sqrt(jnp.where(apart, square, 1.0)), 0.0)

    if problem.form == "all":
        coordinates = jnp.asarray(problem.coordinates)
    if problem.form == "all" and "unique" not in words:
        def loss(parameters):
            e = m1(parameters, x)
            error = jnp.abs(norm(e[:, None] - e[None]) - norm(coordinates[:, None] - coordinates[None]))
            return jnp.sum(error) / (2.0 * problem.pairs)
    else:
        if problem.form == "all":
            first, second = jnp.triu_indices(problem.points, 1)
            targets = norm(coordinates[first] - coordinates[second])
        else:
            first, second = jnp.asarray(problem.first), jnp.asarray(problem.second)
            targets = jnp.asarray(problem.targets)
        a, b = x[first], x[second]
        both = jnp.concatenate([a, b])

        def loss(parameters):
            if "twice" in words:
                left, right = m1(parameters, a), m1(parameters, b)
            elif "once" in words:
                left, right = jnp.split(m1(parameters, both), 2)
            else:
                e = m1(parameters, x)
                left, right = e[first], e[second]
            return jnp.mean(jnp.abs(norm(left - right) - targets))

    parameters = [tuple(jnp.asarray(part) for part in layer) for layer in problem.parameters]

    def update(state):
        parameters, m, v, t = state
        value, gradients = jax.value_and_grad(loss)(parameters)
        t = t + 1
        m = jax.tree.map(lambda m, g: problem.beta1 * m + (1 - problem.beta1) * g, m, gradients)
        v = jax.tree.map(lambda v, g: problem.beta2 * v + (1 - problem.beta2) * g * g, v, gradients)
        rate = (problem.learning_rate * jnp.sqrt(1 - problem.beta2 ** t) / (1 - problem.beta1 ** t))
        parameters = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + problem.epsilon),
                                  parameters, m, v)
        return (parameters, m, v, t), value

    update = jax.jit(update, donate_argnums=0)
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    state = (parameters, zeros, jax.tree.map(jnp.zeros_like, parameters), jnp.float32(0))
    # What is checked is what is timed: first moments begin at 0, and so hold the first gradients.
    state, value = update(state)
    problem.check(value, jax.tree.map(lambda m: m / (1 - problem.beta1), state[1]))

    def step():
        nonlocal state
        state, _ = update(state)

    return step, lambda: jax.block_until_ready(state)


serve(make)

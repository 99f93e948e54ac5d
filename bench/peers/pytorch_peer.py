"""A training step by PyTorch on the CPU. Words: `twice` (a forward pass for each member of the
pairs, as one writes it first), `once` (one pass over both), `unique` (one over the points, rows of
their embeddings picked after it); `fused` for Adam's fused form; `compile` for torch.compile."""

import os

from serve import serve


def make(problem, words):
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    activation = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
                  "linear": lambda z: z}
    functions = [activation[name] for name in problem.activations]
    parameters = [torch.tensor(part, requires_grad=True)
                  for layer in problem.parameters for part in layer]
    x = torch.tensor(problem.x)

    def m1(h):
        for k, function in enumerate(functions):
            h = function(torch.addmm(parameters[2 * k + 1], h, parameters[2 * k]))
        return h

    if problem.form == "all":
        coordinates = torch.tensor(problem.coordinates)
        targets = torch.pdist(coordinates)

        def distances():
            return torch.pdist(m1(x))
    else:
        first, second = torch.tensor(problem.first), torch.tensor(problem.second)
        targets = torch.tensor(problem.targets)
        a, b = x[first], x[second]
        both = torch.cat([a, b])

        def distances():
            if "twice" in words:
                left, right = m1(a), m1(b)
            elif "once" in words:
                left, right = m1(both).split(len(a))
            else:
                e = m1(x)
                left, right = e[first], e[second]
            return torch.linalg.vector_norm(left - right, dim=1)

    def loss():
        return torch.mean(torch.abs(distances() - targets))

    if "compile" in words:
        loss = torch.compile(loss)
    optimizer = torch.optim.Adam(parameters, lr=problem.learning_rate,
                                 betas=(problem.beta1, problem.beta2), eps=problem.epsilon,
                                 fused="fused" in words)
    value = loss()
    value.backward()
    flat = [p.grad.numpy() for p in parameters]
    problem.check(value.item(), list(zip(flat[0::2], flat[1::2])))

    def step():
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


serve(make)

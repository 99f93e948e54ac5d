"""A training step by PyTorch. Words: `twice` (a forward pass for each member of the pairs, as one
writes it first), `once` (one pass over both), `unique` (one over the points, rows of their
embeddings picked after it); `fused` for Adam's fused form; `compile` for torch.compile, `overhead`
for its mode reduce-overhead; `graph` for the whole step as a CUDA graph."""

import os

from serve import done, serve


def captured(torch, step, optimizer):
    """The step as a CUDA graph, the way PyTorch's documentation captures whole networks: warmed up
    on a stream of its own, and without gradients from before, so that the graph's memory has them.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    optimizer.zero_grad()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        value = step()

    def replay():
        graph.replay()
        return value

    return replay


def make(problem, device, words):
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.set_float32_matmul_precision("high" if problem.precision == "tf32" else "highest")
    activation = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
                  "linear": lambda z: z}
    functions = [activation[name] for name in problem.activations]
    parameters = [torch.tensor(part, device=device, requires_grad=True)
                  for layer in problem.parameters for part in layer]
    x = torch.tensor(problem.x, device=device)

    def layers(h):
        for k, function in enumerate(functions):
            h = function(torch.addmm(parameters[2 * k + 1], h, parameters[2 * k]))
        return h

    def layers_in_bf16(h):
        with torch.autocast(device, torch.bfloat16):
            h = layers(h)
        return h.float()  # the loss is float32's

    m1 = layers_in_bf16 if problem.precision == "bf16" else layers

    if problem.form == "all":
        coordinates = torch.tensor(problem.coordinates, device=device)
        targets = torch.pdist(coordinates)

        def distances():
            return torch.pdist(m1(x))
    else:
        first = torch.tensor(problem.first, device=device)
        second = torch.tensor(problem.second, device=device)
        targets = torch.tensor(problem.targets, device=device)
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
    if "overhead" in words:
        loss = torch.compile(loss, mode="reduce-overhead")
    optimizer = torch.optim.Adam(parameters, lr=problem.learning_rate,
                                 betas=(problem.beta1, problem.beta2), eps=problem.epsilon,
                                 fused="fused" in words, capturable="graph" in words)

    def step():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return value.detach()

    if "graph" in words:
        begin = [part.detach().clone() for part in parameters]
        step = captured(torch, step, optimizer)
        with torch.no_grad():
            for part, value in zip(parameters, begin):
                part.copy_(value)  # the warm-up has trained them
    value = step()
    flat = [part.grad.cpu().numpy() for part in parameters]
    problem.check(value.item(), list(zip(flat[0::2], flat[1::2])))
    return step, torch.cuda.synchronize if device == "cuda" else done


serve(make)

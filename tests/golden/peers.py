#!/usr/bin/env python3
"""Writes peers.json: losses, gradients and optimiser steps as PyTorch and Keras compute them.

Independent software's answer to small problems, in float64, that the reference must reproduce:
    python3 -m venv venv && venv/bin/pip install numpy torch keras
    venv/bin/python tests/golden/peers.py
Made with the versions that the file names under "made_with".
"""

import itertools
import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"  # TensorFlow and PyTorch do not load into one process

import keras
import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
RANDOM = np.random.default_rng(20190427)

DISTANCES = {
    "sqeuclidean": lambda a, b, merge: torch.linalg.vector_norm(a - b, ord=2, dim=1).square(),
    "euclidean": lambda a, b, merge: F.pairwise_distance(a, b, p=2, eps=0.0),
    "manhattan": lambda a, b, merge: F.pairwise_distance(a, b, p=1, eps=0.0),
    "cosine": lambda a, b, merge: 1.0 - F.cosine_similarity(a, b, dim=1, eps=0.0),
    "chi_square": lambda a, b, merge: F.linear((a - b).square() / (a + b), merge),
    "weighted_l1":
        lambda a, b, merge: F.linear(torch.abs(a - b), merge[None, :-1], merge[-1:]).squeeze(1),
}


MERGE_PARAMETERS = {"chi_square": lambda width: width, "weighted_l1": lambda width: width + 1}

LABELLED = ("contrastive_1_is_dissimilar", "logistic_1_is_similar")  # targets are 0 or 1


def contrastive(d, t, margin):
    hinge = torch.clamp(margin - d, min=0.0)
    return torch.mean(0.5 * ((1.0 - t) * d.square() + t * hinge.square()))


CRITERIA = {
    "absolute": lambda d, t, constant: F.l1_loss(d, t),
    "squared": lambda d, t, constant: F.mse_loss(d, t),
    "huber": lambda d, t, constant: F.huber_loss(d, t, delta=constant),
    "contrastive_1_is_dissimilar": contrastive,
    "logistic_1_is_similar": lambda d, t, constant: F.binary_cross_entropy_with_logits(d, t),
}

ACTIVATIONS = {
    "linear": lambda z: z,
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}


def flat(values):
    return np.asarray(values, dtype=np.float64).reshape(-1).tolist()


def losses():
    points, width, pairs = 7, 5, 15
    e = RANDOM.uniform(0.0, 1.0, (points, width))
    first = RANDOM.integers(0, points, pairs)
    second = (first + RANDOM.integers(1, points, pairs)) % points
    cases = []

    def add(name, targets, loss_of, merge=()):
        embeddings = torch.tensor(e, requires_grad=True)
        parameters = torch.tensor(merge, requires_grad=True)
        loss = loss_of(embeddings[first], embeddings[second], parameters, torch.tensor(targets))
        loss.backward()
        cases.append({"loss": name, "targets": flat(targets), "merge": flat(merge),
                      "value": loss.item(), "gradient": flat(embeddings.grad),
                      "merge_gradient": flat([] if parameters.grad is None else parameters.grad)})

    for (distance, d), (criterion, c) in itertools.product(DISTANCES.items(), CRITERIA.items()):
        constant = 0.3 if criterion == "huber" else 0.9
        targets = (RANDOM.integers(0, 2, pairs).astype(float) if criterion in LABELLED
                   else RANDOM.uniform(0.0, 1.5, pairs))
        suffix = f":{constant}" if criterion in ("huber", "contrastive_1_is_dissimilar") else ""
        merge = RANDOM.uniform(-0.5, 1.5, MERGE_PARAMETERS.get(distance, lambda width: 0)(width))
        add(f"{distance}/{criterion}{suffix}", targets,
            lambda a, b, merge, t, d=d, c=c, constant=constant: c(d(a, b, merge), t, constant),
            merge)
    # The original script's loss: targets (m, 1) against distances (m,).
    add("as_written", RANDOM.uniform(0.0, 1.5, pairs),
        lambda a, b, _, t: torch.mean(torch.abs(torch.sum(torch.square(a - b), 1) - t[:, None])))
    return {"points": points, "width": width, "embeddings": flat(e), "first": first.tolist(),
            "second": second.tolist(), "cases": cases}


def networks():
    cases = []
    for name, activation in ACTIVATIONS.items():
        widths, points = [4, 9, 7, 3], 6
        names = [name, name, "sigmoid"]
        x = torch.tensor(RANDOM.normal(size=(points, widths[0])))
        g = torch.tensor(RANDOM.normal(size=(points, widths[-1])))
        parameters = []
        h = x
        activations = []
        for l, act in enumerate(names):
            w = torch.tensor(RANDOM.normal(size=(widths[l], widths[l + 1])), requires_grad=True)
            b = torch.tensor(RANDOM.normal(size=widths[l + 1]), requires_grad=True)
            parameters += [w, b]
            h = ACTIVATIONS[act](F.linear(h, w.T, b))
            activations.append(flat(h.detach()))
        h.backward(g)
        cases.append({
            "network": "-".join([str(widths[0])] + [f"{n}{a}" for n, a in zip(widths[1:], names)]),
            "points": points, "x": flat(x), "gradient": flat(g),
            "parameters": sum((flat(p.detach()) for p in parameters), []),
            "activations": activations,
            "gradients": sum((flat(p.grad) for p in parameters), []),
        })
    return cases


def optimisers():
    count, steps = 6, 5
    begin = RANDOM.normal(size=count)
    # From large to vanishing gradients, where the place of epsilon shows.
    gradients = RANDOM.normal(size=(steps, count)) * np.array([1.0, 1e-2, 1e-4, 1e-6, 1e-8, 0.0])

    torch_parameters = torch.nn.Parameter(torch.tensor(begin))
    torch_adam = torch.optim.Adam([torch_parameters], lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    keras.backend.set_floatx("float64")
    keras_parameters = keras.Variable(begin, dtype="float64")
    keras_adam = keras.optimizers.Adam(learning_rate=1e-3)
    trail = {"torch": [], "keras": []}
    for g in gradients:
        torch_parameters.grad = torch.tensor(g)
        torch_adam.step()
        trail["torch"].append(flat(torch_parameters.detach()))
        keras_adam.apply([keras.ops.convert_to_tensor(g, dtype="float64")], [keras_parameters])
        trail["keras"].append(flat(keras_parameters.numpy()))
    return {"parameters": flat(begin), "gradients": [flat(g) for g in gradients], **trail}


golden = {
    "made_with": {"torch": torch.__version__, "keras": keras.__version__,
                  "numpy": np.__version__},
    "losses": losses(),
    "networks": networks(),
    "optimisers": optimisers(),
}
Path(__file__).with_suffix(".json").write_text(json.dumps(golden, indent=1) + "\n")

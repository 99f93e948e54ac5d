#!/usr/bin/env python3
"""Writes numpy_stream.csv: what NumPy and scikit-learn themselves draw from the legacy stream.

Needs numpy, scipy and scikit-learn (any version: the legacy stream is frozen):
    python3 -m venv venv && venv/bin/pip install numpy scipy scikit-learn
    venv/bin/python tests/golden/numpy_stream.py
Each row is a label of three words (seed, what was drawn, index) and the number that came out; a
double is written so that it reads back to the same bits.
"""

from pathlib import Path

import numpy as np
from scipy.spatial.distance import euclidean
from sklearn.model_selection import train_test_split

ROWS = []


def add(seed, what, values):
    for index, value in enumerate(np.asarray(values).reshape(-1)):
        ROWS.append((f"seed{seed} {what} {index}", value))


def raw_stream(seed):
    np.random.seed(seed)
    # 700 doubles take 1,400 words of the state's 624: two refills.
    samples = np.random.random_sample(700)
    add(seed, "random_sample", np.concatenate([samples[:5], samples[310:315], samples[-5:]]))
    add(seed, "permutation41", np.random.permutation(41))
    values = np.arange(100, 117)
    np.random.shuffle(values)
    add(seed, "shuffle17", values)
    add(seed, "sample_after", np.random.random_sample(2))


def experiment(seed, points, landmarks, dimensions):
    """The original script's data, drawn as it draws them."""
    np.random.seed(seed)
    np.random.random((1, 2))  # its doctest
    drawn = np.random.random((points, dimensions))
    features = np.array([[euclidean(p, q) for q in drawn[:landmarks]] for p in drawn])
    rows = np.arange(points)
    train, test = train_test_split(rows)
    name = f"{points}x{landmarks}x{dimensions}"
    add(seed, f"{name}_points", np.concatenate([drawn[0], drawn[-1]]))
    add(seed, f"{name}_features", np.concatenate([features[1], features[-1]]))
    add(seed, f"{name}_train", train)
    add(seed, f"{name}_test", test)
    add(seed, f"{name}_sample_after", np.random.random_sample(2))


for seed in (0, 1, 4294967295):
    raw_stream(seed)
experiment(0, 41, 11, 10)
experiment(7, 50, 4, 3)

lines = ["# Written by numpy_stream.py; not to be edited.", "drawn,value"]
lines += [f"{label},{value!r}" for label, value in ((l, v.item()) for l, v in ROWS)]
Path(__file__).with_suffix(".csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

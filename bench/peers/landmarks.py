#!/usr/bin/env python3
"""The landmark experiment from beginning to end, by siamese_landmarks and by Keras over TensorFlow,
in turn, each a process of its own on the same points.

    landmarks.py --program siamese_landmarks --step siamese_step --python PYTHON --out FILE
                 [--initialisations N]

One round after another, each with its own initial weights and order of batches, and with both
losses: the original script's as it was written, and repaired. FILE gets every run as JSON; a table
is printed. What could not run is told and has no row. Ctrl-C keeps the runs that are done.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from measure import context_of, last_words  # noqa: E402
from reporting import landmarks  # noqa: E402
from reporting.files import write  # noqa: E402
from reporting.running import (Progress, Words, end_as_interrupted, end_no_more, escaped,  # noqa: E402
                               exit_with)
from reporting.tables import grid  # noqa: E402

LOSSES = ("as_written", "euclidean")


class Failed(Exception):
    """Why a run gave nothing."""


def finished(command):
    """(standard output, seconds of the process). Raises Failed."""
    begin = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    except OSError as error:
        raise Failed(f"{error.filename}: {error.strerror}") from error
    seconds = time.perf_counter() - begin
    if done.returncode != 0:
        raise Failed(last_words(done.stderr, done.returncode))
    return done.stdout, seconds


def csv_rows(path):
    return [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def by_siamese_landmarks(program, loss, seed):
    """What a run found: coordinates of all points, the numbers of the unseen ones, where it put
    them, and its times."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        _, seconds = finished([program, "--loss", loss, "--init-seed", str(seed), "--no-pictures",
                               "--out", out])
        summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
        points, placed = ([[float(x) for x in row] for row in csv_rows(out / name)]
                          for name in ("points.csv", "predictions.csv"))
        test = [int(point) for part, point in csv_rows(out / "split.csv") if part == "test"]
    return {"points": points, "test": test, "predicted": [placed[i] for i in test],
            "trained_by": summary["training"]["variant"], "process_seconds": seconds,
            "training_seconds": summary["training"]["seconds"]}


def by_keras(python, loss, seed, *words):
    """The same of a run by Keras."""
    text, seconds = finished([python, HERE / "landmarks_keras.py", loss, str(seed), *words])
    try:
        found = json.loads(text.splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise Failed(f"no JSON in its last line ({error})") from error
    return {**found, "trained_by": "Keras", "process_seconds": seconds,
            "training_seconds": found["seconds"]}


def error_per_point(found):
    """landmarks/README's sum over pairs of unseen points of |true - predicted distance|, over their
    number."""
    truth = [found["points"][i] for i in found["test"]]
    return sum(abs(math.dist(truth[i], truth[j]) -
                   math.dist(found["predicted"][i], found["predicted"][j]))
               for i, j in combinations(range(len(truth)), 2)) / len(truth)


def check_same_data(found, first):
    """Raises Failed where a run was on other points than the first run."""
    if found["test"] != first["test"]:
        raise Failed("its unseen points are others")
    mine, others = ([x for point in run["points"] for x in point] for run in (found, first))
    if len(mine) != len(others) or not all(
            math.isclose(x, y, rel_tol=1e-12) for x, y in zip(mine, others)):
        raise Failed("its points are others")


def measured(ways, initialisations):
    """The rows of FILE one by one, a line told of each; `ways`: {name: f(loss, seed)}."""
    first = None
    progress = Progress(initialisations * len(LOSSES) * len(ways))
    for seed in range(initialisations):
        for loss in LOSSES:
            for name, run in ways.items():
                print(f"{progress.next()} {name}, {loss}, initialisation {seed}", file=sys.stderr,
                      flush=True)
                row = {"name": name, "loss": loss, "init_seed": seed}
                try:
                    found = run(loss, seed)
                    first = first or found
                    check_same_data(found, first)
                    row |= {key: found[key] for key in
                            ("trained_by", "process_seconds", "training_seconds")}
                    row["error_per_point"] = error_per_point(found)
                except Failed as error:
                    row["error_message"] = str(error)
                    print(escaped(f"    none: {error}"), file=sys.stderr, flush=True)
                yield row


def main():
    parser = Words(__doc__)
    parser.add_argument("--program", required=True, help="siamese_landmarks")
    parser.add_argument("--step", required=True, help="siamese_step, which tells machine and build")
    parser.add_argument("--python", required=True, help="the peers' interpreter")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--initialisations", type=int, default=10)
    arguments = parser.parse_args()
    if arguments.initialisations < 1:
        parser.error(f"--initialisations {arguments.initialisations}; expected at least 1")
    if not os.access(arguments.out.absolute().parent, os.W_OK):
        parser.error(f"--out: {arguments.out}: expected a file in a folder that can be written")
    end_as_interrupted()
    context = context_of(arguments)
    ways = {
        "siamese_landmarks": lambda *run: by_siamese_landmarks(arguments.program, *run),
        "Keras": lambda *run: by_keras(arguments.python, *run),
        "Keras, jit": lambda *run: by_keras(arguments.python, *run, "jit"),
    }
    rows = []
    try:
        for row in measured(ways, arguments.initialisations):
            rows.append(row)
    finally:  # interrupted or not
        end_no_more()
        if rows:
            write(arguments.out, json.dumps({"context": context, "runs": rows}, indent=1) + "\n")
    print(grid(landmarks.table(rows)), end="")
    return 1 if any("error_message" in row for row in rows) else 0


if __name__ == "__main__":
    exit_with(main, "landmarks")

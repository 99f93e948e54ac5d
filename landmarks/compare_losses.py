#!/usr/bin/env python3
"""Repeats the experiment over initialisations and prints the two tables of landmarks/README.md.

    landmarks/compare_losses.py PROGRAM [INITIALISATIONS [LARGE_INITIALISATIONS]]

PROGRAM is the built siamese_landmarks. The rows of 41 points run over the first number of initial
weights and batch orders (20), the rows of more points over the second (3). Standard error tells the
time left. Exit code: 0; 1 where a run failed; 2 for usage.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SMALL = [
    ["--loss", "as_written"],
    ["--loss", "sqeuclidean"],
    ["--loss", "sqeuclidean", "--target", "squared_distance"],
    ["--loss", "euclidean"],
]
LARGE = [
    ["--points", "200", "--all-pairs"],
    ["--points", "500", "--all-pairs"],
    ["--points", "2000", "--all-pairs"],
]


class BadUsage(Exception):
    """Words that cannot be."""


class Failed(Exception):
    """A run that did not end well: its last words."""


def run(program, arguments, init_seed):
    """What one run found on the unseen points."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = [program, *arguments, "--init-seed", str(init_seed), "--out", out,
                   "--no-pictures"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise Failed(f"{str(program)!r}: {error.strerror}") from error
        if done.returncode != 0:
            words = done.stderr.strip().splitlines() or [f"{str(program)!r}: exit code {done.returncode}"]
            raise Failed(words[-1])
        try:
            return json.loads((out / "summary.json").read_text(encoding="utf-8"))["test"]
        except (OSError, ValueError, KeyError) as error:
            raise Failed(f"{str(program)!r}: {error}; expected siamese_landmarks") from error


def time_text(seconds):
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def tests_of(program, rows, initialisations, title):
    """For each row, what its runs found on the unseen points. Every row runs once before any runs
    again, so that the time left is known after the first round."""
    tests = [[] for _ in rows]
    seconds = [0.0 for _ in rows]
    for seed in range(initialisations):
        for row, arguments in enumerate(rows):
            left = "?"
            if seed > 0:
                left = time_text(sum(seconds[i] / len(tests[i]) * (initialisations - len(tests[i]))
                                     for i in range(len(rows))))
            number = seed * len(rows) + row + 1
            print(f"[{title}: run {number}/{initialisations * len(rows)}, {left} left] "
                  f"{' '.join(arguments)} --init-seed {seed}", file=sys.stderr, flush=True)
            start = time.monotonic()
            tests[row].append(run(program, arguments, seed))
            seconds[row] += time.monotonic() - start
    return tests


def mean(tests, who, measure):
    """Over the runs; a correlation that is not defined, because nothing varies, counts as 0."""
    return statistics.mean(test[who][measure] or 0 for test in tests)


def spread(tests, measure, digits):
    found = [test["network"][measure] for test in tests]
    return f"{min(found):.{digits}f} to {max(found):.{digits}f}"


def print_small(program, initialisations):
    found = tests_of(program, SMALL, initialisations, "41 points")
    print("| options | sum / points, mean | lowest to highest | mean per pair | correlation "
          "| random, sum / points |\n|---|---|---|---|---|---|")
    for arguments, tests in zip(SMALL, found):
        print(f"| `{' '.join(arguments)}` | {mean(tests, 'network', 'error_per_point'):.2f} "
              f"| {spread(tests, 'error_per_point', 2)} "
              f"| {mean(tests, 'network', 'error_per_pair'):.3f} "
              f"| {mean(tests, 'network', 'correlation'):.2f} "
              f"| {mean(tests, 'random', 'error_per_point'):.2f} |", flush=True)


def print_large(program, initialisations):
    found = tests_of(program, LARGE, initialisations, "more points")
    print("| options | unseen pairs | mean error per pair | lowest to highest | correlation "
          "| random, per pair |\n|---|---|---|---|---|---|")
    for arguments, tests in zip(LARGE, found):
        print(f"| `{' '.join(arguments)}` | {tests[0]['pairs']:,} "
              f"| {mean(tests, 'network', 'error_per_pair'):.3f} "
              f"| {spread(tests, 'error_per_pair', 3)} "
              f"| {mean(tests, 'network', 'correlation'):.2f} "
              f"| {mean(tests, 'random', 'error_per_pair'):.2f} |", flush=True)


def read(words):
    """Program and numbers of initialisations."""
    if not 1 <= len(words) <= 3:
        raise BadUsage("expected PROGRAM [INITIALISATIONS [LARGE_INITIALISATIONS]]")
    program = Path(words[0])
    if not program.is_file() or not os.access(program, os.X_OK):
        raise BadUsage(f"PROGRAM {str(program)!r}; expected the built siamese_landmarks")
    counts = [20, 3]
    for i, (name, word) in enumerate(zip(("INITIALISATIONS", "LARGE_INITIALISATIONS"), words[1:])):
        if not (word.isascii() and word.isdigit()) or int(word) == 0:
            raise BadUsage(f"{name} {word!r}; expected a whole number of at least 1")
        counts[i] = int(word)
    return program.resolve(), counts


def main(words):
    if words in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    try:
        program, (small, large) = read(words)
        print_small(program, small)
        print()
        print_large(program, large)
    except BadUsage as error:
        print(f"compare_losses.py: {error}; --help tells more", file=sys.stderr)
        return 2
    except Failed as error:
        print(f"compare_losses.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("compare_losses.py: stopped, as asked", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

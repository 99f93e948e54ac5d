#!/usr/bin/env python3
"""Repeats the experiment over initialisations and prints the tables of landmarks/README.md.

    landmarks/compare_losses.py PROGRAM [INITIALISATIONS [LARGE_INITIALISATIONS]]

PROGRAM is the built siamese_landmarks. The rows of 41 points run over the first number of initial
weights and batch orders (20), the rows of more points over the second (3).
"""

import json
import statistics
import subprocess
import sys
import tempfile
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


def run(program, arguments, init_seed):
    """The summary of one run, without its pictures."""
    with tempfile.TemporaryDirectory() as folder:
        command = [program, *arguments, "--init-seed", str(init_seed), "--out", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(done.stderr.strip().splitlines()[-1])
        return json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))


def table(program, rows, initialisations):
    print("| options | sum / points, mean | lowest to highest | mean per pair | correlation "
          "| random, sum / points |\n|---|---|---|---|---|---|")
    for arguments in rows:
        tests = [run(program, arguments, seed)["test"] for seed in range(initialisations)]
        per_point = [test["network"]["error_per_point"] for test in tests]
        per_pair = [test["network"]["error_per_pair"] for test in tests]
        correlation = [test["network"]["correlation"] for test in tests]
        print(f"| `{' '.join(arguments)}` | {statistics.mean(per_point):.2f} "
              f"| {min(per_point):.2f} to {max(per_point):.2f} | {statistics.mean(per_pair):.3f} "
              f"| {statistics.mean(correlation):.2f} "
              f"| {tests[0]['random']['error_per_point']:.2f} |", flush=True)


def main():
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__.strip())
        return
    counts = [int(count) for count in sys.argv[2:]] + [20, 3][len(sys.argv) - 2 :]
    table(sys.argv[1], SMALL, counts[0])
    print()
    table(sys.argv[1], LARGE, counts[1])


if __name__ == "__main__":
    main()

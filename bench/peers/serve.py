"""The other end of a pipe: a step that is taken whenever measure.py says so."""

import json
import sys
import time

from problem import Problem, Wrong


def tell(**message):
    print(json.dumps(message), flush=True)


def serve(make):
    """`make(problem, words)` gives a function that takes one step and returns when it is done, having
    checked loss and gradients. For each number N on standard input, N steps and a line with the
    seconds that each took."""
    folder, *words = sys.argv[1:]
    try:
        step = make(Problem(folder), words)
        step()
    except (ImportError, Wrong, ValueError) as error:
        tell(error=str(error).splitlines()[0])
        return
    tell(ready=True)
    for line in sys.stdin:
        count = int(line)
        begin = time.perf_counter()
        for _ in range(count):
            step()
        tell(seconds=(time.perf_counter() - begin) / count)

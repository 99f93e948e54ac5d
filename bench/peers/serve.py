"""The other end of a pipe: a step that is taken whenever measure.py says so."""

import json
import sys
import time

from problem import Problem, Wrong


def tell(**message):
    print(json.dumps(message), flush=True)


def done():
    """What waits for steps that are done when they return."""


def serve(make):
    """`make(problem, device, words)` gives two functions, having checked loss and gradients: one
    begins a step, the other waits until all that were begun are done. For each number N on
    standard input, N steps and a line with the seconds that each took, by the clock and of all
    threads' processor time."""
    folder, device, precision, *words = sys.argv[1:]
    try:
        step, wait = make(Problem(folder, precision), device, words)
        step()
        wait()
    except (ImportError, Wrong, ValueError, RuntimeError) as error:
        tell(error=str(error).splitlines()[0])
        return
    tell(ready=True)
    for line in sys.stdin:
        count = int(line)
        begin, begin_cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            step()
        wait()
        end, end_cpu = time.perf_counter(), time.process_time()
        tell(seconds=(end - begin) / count, cpu_seconds=(end_cpu - begin_cpu) / count)

"""Two runs of the same benchmarks, row by row: which changed by more than the noise and a threshold.

The change of a row is the median of the ratios of every new repetition to every old one (Hodges and
Lehmann's estimate), and its interval comes from the order statistics of the same ratios, as that of
Mann and Whitney's test does: it assumes no distribution, and an outlier widens it at worst. It takes four
repetitions a side or more to have one. Where several pairs of runs are given, the interval spans
those of all pairs, so that what changes from run to run is noise too.
"""

import functools
import math
import statistics
from dataclasses import dataclass

from reporting.results import ceiling, read_document, repetitions

CONFIDENCE = 0.95
# Of each device, those that repeat from run to run while the machine is the same. Memory's does not:
# which pages a run gets may halve it, and to allow for that in every row would hide any change.
CEILINGS = {
    "cpu": ("fma_peak_float32_gflops", "fma_peak_float64_gflops"),
    "cuda": ("cuda_clock_mhz", "cuda_peak_float32_gflops", "cuda_peak_tf32_gflops",
             "cuda_peak_bf16_gflops", "cuda_peak_float64_gflops"),
}
SETTINGS = ("processor", "cuda_device", "threads", "isa", "compiler", "flags", "build_type", "network",
            "loss", "adam")


@dataclass
class Run:
    path: str
    context: dict
    times: dict  # name of a row -> seconds of each repetition
    errors: dict  # name of a row -> its message


def load(path):
    """Any JSON of Google Benchmark. Raises BadResults."""
    document = read_document(path)
    run = Run(str(path), document["context"], {}, {})
    for name, seconds, message, _ in repetitions(document):
        if message:
            run.errors[name] = message
        else:
            run.times.setdefault(name, []).append(seconds)
    return run


@functools.cache
def _left_out(old, new):
    """How many of the old x new ratios may be left out below the interval, and above it as well, so
    that it holds the true one with CONFIDENCE; None where even the whole range does with less."""
    # counts[u]: orderings of `old` and `new` values with u pairs in one direction.
    counts = {(0, 0): [1]}
    for m in range(old + 1):
        for n in range(new + 1):
            if (m, n) == (0, 0):
                continue
            total = [0] * (m * n + 1)
            if m > 0:
                for u, count in enumerate(counts[m - 1, n]):
                    total[u + n] += count
            if n > 0:
                for u, count in enumerate(counts[m, n - 1]):
                    total[u] += count
            counts[m, n] = total
    orderings = math.comb(old + new, old)
    tail = 0
    for u, count in enumerate(counts[old, new]):
        tail += count
        if tail / orderings > (1 - CONFIDENCE) / 2:
            return u - 1 if u > 0 else None
    return None


@dataclass
class Change:
    """A row's new time over its old one, and the interval of that ratio."""

    name: str
    ratio: float
    low: float
    high: float

    @property
    def device(self):
        return "cuda" if "/cuda_" in self.name else "cpu"

    def verdict(self, threshold):
        """faster or slower by more than the threshold beyond doubt, the same within it beyond doubt,
        or unsure."""
        if self.low > 1 + threshold:
            return "slower"
        if self.high < 1 / (1 + threshold):
            return "faster"
        if 1 / (1 + threshold) <= self.low and self.high <= 1 + threshold:
            return "same"
        return "unsure"


def change(name, pairs):
    """`pairs`: (old times, new times) of each pair of runs."""
    ratios, lows, highs = [], [], []
    for old, new in pairs:
        every = sorted(b / a for a in old for b in new)
        ratios.append(statistics.median(every))
        left_out = _left_out(len(old), len(new))
        if old == new:  # the same run
            lows.append(1.0)
            highs.append(1.0)
        else:
            lows.append(0.0 if left_out is None else every[left_out])
            highs.append(math.inf if left_out is None else every[-1 - left_out])
    return Change(name, statistics.median(ratios), min(lows), max(highs))


@dataclass
class Comparison:
    changes: list
    missing: list  # names of old runs that a new one has not
    failed: list  # (name, message) of rows that had times and have an error now
    added: list  # names of new runs alone


def compare(olds, news):
    """Pairs the k-th old with the k-th new run."""
    old_names = list(dict.fromkeys(name for run in olds for name in run.times))
    result = Comparison([], [], [], [])
    for name in old_names:
        message = next((run.errors[name] for run in news if name in run.errors), None)
        if message is not None:
            result.failed.append((name, message))
        elif not all(name in run.times for run in news):
            result.missing.append(name)
        else:
            pairs = [(old.times[name], new.times[name]) for old, new in zip(olds, news)
                     if name in old.times]
            result.changes.append(change(name, pairs))
    known = {name for run in olds for name in (*run.times, *run.errors)}
    result.added = [name for name in dict.fromkeys(name for run in news for name in run.times)
                    if name not in known]
    return result


def machine_drift(olds, news):
    """{device: by how much, at most, a ceiling of it was lower in a new run than in its old one}, as
    ratios above 0: what the machine itself lost is no row's fault."""
    drift = {}
    for device, ceilings in CEILINGS.items():
        drift[device] = 0.0
        for key in ceilings:
            for old, new in zip(olds, news):
                before, after = ceiling(old.context, key), ceiling(new.context, key)
                if before and after:
                    drift[device] = max(drift[device], before / after - 1)
    return drift


def different_settings(olds, news):
    """[(key, old value, new value)] of what should be alike and is not."""
    found = []
    for key in SETTINGS:
        values = [(old.context.get(key), new.context.get(key)) for old, new in zip(olds, news)]
        found += [(key, a, b) for a, b in dict.fromkeys(values) if a != b]
    return found

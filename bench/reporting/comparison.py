"""Two runs of the same benchmarks, row by row: which changed by more than the noise and a threshold.

A run disturbs all repetitions of a row alike, by where its memory came to lie and by who else used the
machine's: two kept runs of this project whose processor was quiet (xeon-emerald-rapids-2-cores-quick and
-steps) have Eigen's step of 8,192 dense pairs at 1.17 to 1.68 times each other, and no code of it had
changed. Of one pair of runs nothing smaller than ONE_PAIR is therefore called a change.

The change of a row is the median of the ratios of every new repetition to every old one (Hodges and
Lehmann's estimate), and its interval comes from the order statistics of the same ratios, as that of
Mann and Whitney's test does: it assumes no distribution, and an outlier widens it at worst. It takes four
repetitions a side or more to have one. Where several pairs of runs are given, the interval spans
those of all pairs, so that what changes from run to run is noise too, and the threshold alone decides.
"""

import functools
import math
import statistics
from dataclasses import dataclass

from reporting.results import QUIET, ceiling, read_document, repetitions

CONFIDENCE = 0.95
ONE_PAIR = 0.25
# Two runs whose ceilings are further apart than this were not on the same machine, as it were: no row
# of theirs is called the same.
STEADY = 0.03
# Of each device, those that repeat from run to run while the machine is the same. Memory's does not:
# which pages a run gets may halve it, and to allow for that in every row would hide any change.
CEILINGS = {
    "cpu": ("fma_peak_float32_gflops", "fma_peak_float64_gflops"),
    "cuda": ("cuda_clock_mhz", "cuda_peak_float32_gflops", "cuda_peak_tf32_gflops",
             "cuda_peak_bf16_gflops", "cuda_peak_float64_gflops"),
}
# Rows of one name are the same work only where these are alike.
PROBLEM = ("network", "loss", "adam", "threads", "isa")
SETTINGS = (*PROBLEM, "processor", "cuda_device", "cuda_driver", "cuda_compiler", "cublas", "compiler", "flags",
            "build_type")


@dataclass
class Run:
    path: str
    context: dict
    times: dict  # name of a row -> seconds of each repetition
    errors: dict  # name of a row -> its message
    machines: dict  # name of a row -> what part of its peak the machine had in each repetition

    def has(self, name):
        return name in self.times or name in self.errors


def load(path):
    """Any JSON of Google Benchmark. Raises BadResults."""
    document = read_document(path)
    run = Run(str(path), document["context"], {}, {}, {})
    for name, seconds, message, entry in repetitions(document):
        if message:
            run.errors[name] = message
        else:
            run.times.setdefault(name, []).append(seconds)
            run.machines.setdefault(name, []).append(entry.get("machine", 1.0))
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
class Limits:
    """From where on a ratio of times is slower, faster, and up to where it is the same: each as a
    distance from 1, 0 or more."""

    slower: float
    faster: float
    same: float


@dataclass
class Change:
    """A row's new time over its old one, and the interval of that ratio."""

    name: str
    ratio: float
    low: float
    high: float
    machine: float = 1.0  # what part of its peak the machine had, in the run where it had least

    @property
    def device(self):
        return "cuda" if "/cuda_" in self.name else "cpu"

    def verdict(self, limits):
        """faster or slower by more than the limits beyond doubt, the same within them beyond doubt, or
        unsure, as whatever a disturbed machine measured."""
        if self.machine < QUIET:
            return "unsure"
        if self.low > 1 + limits.slower:
            return "slower"
        if self.high < 1 / (1 + limits.faster):
            return "faster"
        if 1 / (1 + limits.same) <= self.low and self.high <= 1 + limits.same:
            return "same"
        return "unsure"


def change(name, pairs, machine=1.0):
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
    return Change(name, statistics.median(ratios), min(lows), max(highs), machine)


@dataclass
class Comparison:
    changes: list
    missing: list  # names of old runs that a new one has not
    failed: list  # (name, message) of rows that have an error now and had none, or had times too
    added: list  # names of new runs that an old one has not
    unpaired: list  # (name, message) of rows that have times, and in an old run an error


def compare(olds, news):
    """Pairs the k-th old with the k-th new run."""
    result = Comparison([], [], [], [], [])
    for name in dict.fromkeys(name for run in (*olds, *news) for name in (*run.times, *run.errors)):
        before, now = (next((run.errors[name] for run in runs if name in run.errors), None)
                       for runs in (olds, news))
        timed_before, timed_now = (any(name in run.times for run in runs) for runs in (olds, news))
        is_new = before is None and not timed_before
        # A row that is new may be too long or too large for the machine, but not wrong.
        if now is not None and (timed_before or is_new and not now.startswith("skipped: ")):
            result.failed.append((name, now))
        elif before is not None:
            if timed_before or timed_now:
                result.unpaired.append((name, before))
        elif not all(run.has(name) for run in news):
            result.missing.append(name)
        elif not all(run.has(name) for run in olds):
            result.added.append(name)
        else:
            pairs = [(old.times[name], new.times[name]) for old, new in zip(olds, news)]
            machine = min(statistics.median(run.machines[name]) for run in (*olds, *news))
            result.changes.append(change(name, pairs, machine))
    return result


@dataclass
class Drift:
    """By how much, at most, a ceiling of a device was lower in a new run than in its old one, and by how
    much higher: ratios above 0. What the machine itself lost or won is no row's doing."""

    lost: float = 0.0
    won: float = 0.0


def machine_drift(olds, news):
    """{device: Drift}"""
    drift = {}
    for device, ceilings in CEILINGS.items():
        drift[device] = Drift()
        for key in ceilings:
            for old, new in zip(olds, news):
                before, after = ceiling(old.context, key), ceiling(new.context, key)
                if before and after:
                    drift[device].lost = max(drift[device].lost, before / after - 1)
                    drift[device].won = max(drift[device].won, after / before - 1)
    return drift


def limits(threshold, drift, pairs):
    """The Limits of a device's rows; `pairs`: how many pairs of runs there are."""
    unknown = ONE_PAIR if pairs == 1 else 0.0
    steady = max(drift.lost, drift.won) <= STEADY
    return Limits(slower=threshold + drift.lost + unknown, faster=threshold + drift.won + unknown,
                  same=threshold if steady else 0.0)


def different_settings(olds, news, keys=SETTINGS):
    """[(key, old value, new value)] of what should be alike in all runs and is not."""
    found = []
    first = olds[0].context
    for key in keys:
        others = dict.fromkeys(run.context.get(key) for run in (*olds, *news))
        found += [(key, first.get(key), other) for other in others if other != first.get(key)]
    return found

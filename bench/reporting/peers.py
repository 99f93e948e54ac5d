"""Other libraries on the same training step, as bench/peers/measure.py timed them in turn."""

import re
import statistics
from dataclasses import dataclass, field, replace

from reporting.results import BadResults, read_document, repetitions
from reporting.tables import Table, time_text

NAME = re.compile(r"(?P<op>[^/]+)/(?P<device>cpu|cuda)_(?P<peer>[^/]+)/(?P<precision>[^/]+)/"
                  r"(?P<form>[^/]+)/points:(?P<points>\d{1,18})/pairs:(?P<pairs>\d{1,18})"
                  r"(?:/threads:(?P<threads>\d{1,9}))?")


@dataclass(frozen=True)
class Field:
    """Who is compared on a device."""

    title: str
    picture: str
    setting: str  # what tells apart cases of the same work
    ours: tuple  # variants, of which the fastest counts
    libraries: dict  # what a peer's name begins with -> heading
    single: tuple  # libraries of which there is one entry
    peak: str = ""  # the peer that does the step's operations and nothing else

    def columns(self):
        if self.peak:
            yield from ("GFLOP/s", "of the FMA peak")
        for library, heading in self.libraries.items():
            yield heading
            if library not in self.single:
                yield f"{heading}, best"


FIELDS = {
    "cpu": Field("Against other libraries", "peers", "threads", ("tiled",),
                 {"eigen": "Eigen", "openblas": "Eigen, OpenBLAS", "numpy": "NumPy",
                  "pytorch": "PyTorch", "jax": "JAX", "keras": "Keras"},
                 ("eigen", "openblas", "numpy"), "peak"),
    "cuda": Field("Against other libraries, on the GPU", "peers_cuda", "precision",
                  ("graph", "chain", "mma", "passes", "fused", "wgmma", "wgmma_twin"),
                  {"cublas": "cuBLAS", "pytorch": "PyTorch", "jax": "JAX", "keras": "Keras"},
                  ("cublas",)),
}


@dataclass
class Case:
    """A piece of work and the seconds that each peer took for it in every round."""

    device: str
    precision: str
    op: str
    form: str
    points: int
    pairs: int
    threads: int  # 0 where the device is not the CPU
    operations: float = 0.0  # 0 where they are not told
    rounds: dict = field(default_factory=dict)  # peer -> seconds of each
    reasons: dict = field(default_factory=dict)  # peer -> why it has none
    together: tuple = ()  # counts of threads that shared its rounds
    apart: set = field(default_factory=set)  # peers whose rounds were others

    @property
    def seconds(self):
        """{peer: its median}"""
        return {peer: statistics.median(times) for peer, times in self.rounds.items()}

    @property
    def work(self):
        what = "training, 100 epochs" if self.op == "fit" else self.form
        return f"{what}: {self.points:,} points / {self.pairs:,} pairs"

    @property
    def setting(self):
        return str(self.threads) if self.device == "cpu" else self.precision

    @property
    def title(self):
        unit = {0: "", 1: " thread"}.get(self.threads, " threads")
        return f"{self.work}, {self.setting}{unit}"

    @property
    def ours(self):
        """Our fastest variant here, None where there is none."""
        mine = [peer for peer in FIELDS[self.device].ours if peer in self.seconds]
        return min(mine, key=self.seconds.get, default=None)

    @property
    def of_peak(self):
        """How much of the peak our fastest variant reached, a median over the rounds, each against
        the peak in that round; None where the peak was not measured."""
        peak = self.rounds.get(FIELDS[self.device].peak)
        if not peak or self.ours is None:
            return None
        return statistics.median(least / mine for least, mine in zip(peak, self.rounds[self.ours]))

    def over_ours(self, peer):
        """How many times as long as our fastest a peer took, of each round; of the medians alone where
        the two did not share rounds. Empty where there is none of ours."""
        if self.ours is None:
            return []
        if peer in self.apart:
            return [self.seconds[peer] / self.seconds[self.ours]]
        return [theirs / mine for theirs, mine in zip(self.rounds[peer], self.rounds[self.ours])]

    def of_library(self, library):
        """(default, best): names of peers, None where there is none. A library's default is the peer
        that has its name alone."""
        mine = {peer: seconds for peer, seconds in self.seconds.items()
                if peer.startswith(library)}
        return library if library in mine else None, min(mine, key=mine.get, default=None)


def load(path):
    """([Case], context). Raises BadResults."""
    document = read_document(path)
    cases = {}
    for name, seconds, message, run in repetitions(document):
        parts = NAME.fullmatch(name)
        if not parts:
            raise BadResults(f"{path}: '{name}' is no name of a peer's row")
        key = (parts["device"], parts["precision"], parts["op"], parts["form"],
               *(int(parts[k] or 0) for k in ("points", "pairs", "threads")))
        case = cases.setdefault(key, Case(*key))
        if message:
            case.reasons[parts["peer"]] = message
        else:
            case.rounds.setdefault(parts["peer"], []).append(seconds)
            case.operations = run.get("FLOP/s", 0.0) * seconds
            case.together = tuple(run.get("threads_in_its_rounds", ()))
    return list(cases.values()), document["context"]


def by_device(cases):
    """{device: [Case]}, the CPU first, without devices that have none."""
    found = {device: [case for case in cases if case.device == device] for device in FIELDS}
    return {device: mine for device, mine in found.items() if mine}


def _cell(case, peer):
    if peer is None:
        return "-"
    ratios = case.over_ours(peer)
    text = time_text(case.seconds[peer])
    if not ratios:
        return text
    extent = f", {min(ratios):.2f} to {max(ratios):.2f}" if len(ratios) > 1 else ""
    return f"{text} ({statistics.median(ratios):.2f}x{extent})"


def _our_cell(case):
    if case.ours is None:
        return "-"
    several = len(FIELDS[case.device].ours) > 1
    return time_text(case.seconds[case.ours]) + (f" {case.ours}" if several else "")


def _row(who, case):
    row = [case.work, case.setting, _our_cell(case)]
    if who.peak:
        told = case.ours is not None and case.operations > 0
        row.append(f"{1e-9 * case.operations / case.seconds[case.ours]:.0f}" if told else "-")
        row.append("-" if case.of_peak is None else f"{100 * case.of_peak:.0f}%")
    for library in who.libraries:
        default, best = case.of_library(library)
        way = "" if best in (None, library) else best.removeprefix(f"{library}-")
        if library not in who.single:
            row.append(_cell(case, default))
            way = way or ("default" if best else "")
        row.append(f"{_cell(case, best)} {way}".rstrip())
    return row


def over_threads(cases):
    """For each work of the CPU the case of the most threads, in which the ways of other libraries
    that were faster with fewer threads count as ways of their own, "WAY-Nt"."""
    works = {}
    for case in sorted(cases, key=lambda case: -case.threads):
        most = works.setdefault(case.work, replace(case, rounds=dict(case.rounds), apart=set()))
        if most.threads == case.threads:
            continue
        for peer, times in case.rounds.items():
            if peer.startswith(tuple(FIELDS["cpu"].libraries)):
                most.rounds[f"{peer}-{case.threads}t"] = times
                if case.threads not in most.together:
                    most.apart.add(f"{peer}-{case.threads}t")
    return list(works.values())


def table(device, cases, context):
    """Of the cases of one device."""
    who = FIELDS[device]
    reasons = dict.fromkeys(
        (peer if case.precision == "float32" else f"{peer} {case.precision}") + f": {reason}"
        for case in cases for peer, reason in case.reasons.items())
    note = ("Time of a step, and in brackets over ours in the same round, median and range: above 1x we "
            "are faster. Each library checked its loss and gradients against the float64 reference first; "
            f"all were timed in turn, medians over the rounds. {context.get('peers', '')}\n")
    if "not_timed" in context:
        note = f"Cut short, without {context['not_timed']}. {note}"
    if device == "cuda":
        note = f"On {context.get('cuda_device', 'an unknown device')}; ours is the fastest in each precision. {note}"
    return Table(who.title, ["work", who.setting, "ours", *who.columns()],
                 [_row(who, case) for case in cases],
                 note + "".join(f"- none: {reason}\n" for reason in reasons))


def load_beside(path):
    """Of a peers.json beside the results at `path`: the cases and the table of each device."""
    beside = path.with_name("peers.json")
    every_case, context = load(beside) if beside.exists() else ([], {})
    cases = by_device(every_case)
    return cases, {device: table(device, mine, context) for device, mine in cases.items()}

"""Other libraries on the same training step, as bench/peers/measure.py timed them in turn."""

import re
import statistics
from dataclasses import dataclass

from reporting.results import SECONDS, BadResults, read_document
from reporting.tables import Table, time_text

NAME = re.compile(r"(?P<op>[^/]+)/cpu_(?P<peer>[^/]+)/float32/(?P<form>[^/]+)/points:(?P<points>\d+)/"
                  r"pairs:(?P<pairs>\d+)/threads:(?P<threads>\d+)")
OURS = "tiled"
# The library that a peer's name begins with -> its heading.
LIBRARIES = {"eigen": "Eigen", "numpy": "NumPy", "pytorch": "PyTorch", "jax": "JAX", "keras": "Keras"}
SINGLE = {"eigen", "numpy"}  # of which there is one entry


@dataclass
class Case:
    """A piece of work and the seconds that each peer took for it, a median over the rounds."""

    op: str
    form: str
    points: int
    pairs: int
    threads: int
    seconds: dict  # peer -> seconds
    reasons: dict  # peer -> why it has none

    @property
    def title(self):
        what = "training, 100 epochs" if self.op == "fit" else self.form
        return (f"{what}: {self.points:,} points / {self.pairs:,} pairs, {self.threads} "
                f"thread{'' if self.threads == 1 else 's'}")

    def of_library(self, library):
        """(default, best, name of the best): seconds, None where there is none. A library's default
        is the peer that has its name alone."""
        mine = {peer: seconds for peer, seconds in self.seconds.items()
                if peer.split("-")[0] == library}
        best = min(mine, key=mine.get) if mine else None
        return mine.get(library), mine.get(best), best


def load(path):
    """([Case], context). Raises BadResults."""
    document = read_document(path)
    cases = {}
    times = {}
    for run in document["benchmarks"]:
        parts = NAME.fullmatch(run["run_name"])
        if not parts:
            raise BadResults(f"{path}: '{run['run_name']}' is no name of a peer's row")
        key = (parts["op"], parts["form"], *(int(parts[k]) for k in ("points", "pairs", "threads")))
        case = cases.setdefault(key, Case(*key, {}, {}))
        if run.get("error_occurred"):
            case.reasons[parts["peer"]] = run["error_message"]
        else:
            seconds = run["real_time"] * SECONDS[run["time_unit"]]
            times.setdefault((key, parts["peer"]), []).append(seconds)
    for (key, peer), seconds in times.items():
        cases[key].seconds[peer] = statistics.median(seconds)
    return list(cases.values()), document["context"]


def _cell(case, seconds):
    if seconds is None:
        return "-"
    ours = case.seconds.get(OURS)
    return f"{time_text(seconds)} ({seconds / ours:.2f}x)" if ours else time_text(seconds)


def table(cases, context):
    header = ["work", "threads", "ours"]
    for library, heading in LIBRARIES.items():
        header += [heading] if library in SINGLE else [heading, f"{heading}, best"]
    rows = []
    for case in cases:
        row = [case.title.rsplit(",", 1)[0], str(case.threads),
               time_text(case.seconds[OURS]) if OURS in case.seconds else "-"]
        for library in LIBRARIES:
            default, best, name = case.of_library(library)
            row.append(_cell(case, default))
            if library not in SINGLE:
                how = f" {name.removeprefix(library).lstrip('-') or 'default'}" if best else ""
                row.append(_cell(case, best) + how)
        rows.append(row)
    reasons = dict.fromkeys(f"{peer}: {reason}" for case in cases
                            for peer, reason in case.reasons.items())
    note = ("Time of a step, and in brackets over ours: above 1x we are faster. Each library checked its "
            "loss and gradients against the float64 reference first; all were timed in turn, medians "
            f"over the rounds. {context.get('peers', '')}\n")
    return Table("Against other libraries", header, rows,
                 note + "".join(f"- none: {reason}\n" for reason in reasons))

"""Results of siamese_bench: reading its JSON, and what is computed from it for every report."""

import json
import re
import statistics
from dataclasses import dataclass, field

NAME = re.compile(
    r"(?P<op>[^/]+)/(?P<device>[^_/]+)_(?P<variant>[^/]+)/(?P<precision>[^/]+)/"
    r"(?:(?P<form>dense|indexed|all)/points:(?P<points>\d+)/pairs:(?P<pairs>\d+)"
    r"(?:/trainings:(?P<trainings>\d+))?"
    r"|parameters:(?P<parameters>\d+))")
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


class BadResults(Exception):
    """One line: which file, where, what was expected."""


@dataclass
class Row:
    """A variant of an op at a shape, with one time per repetition; none where it was not timed."""

    name: str
    op: str
    device: str
    variant: str
    precision: str
    form: str  # "" for an op without pairs
    points: int
    pairs: int
    parameters: int
    trainings: int  # at once; 1 for an op that trains none
    rung: int = 0
    error: str = ""
    times: list = field(default_factory=list)  # seconds a launch
    counters: dict = field(default_factory=dict)  # name -> one value per repetition

    @property
    def seconds(self):
        return statistics.median(self.times)

    @property
    def spread(self):
        """Half the range of the repetitions' times over their median."""
        return (max(self.times) - min(self.times)) / 2 / self.seconds

    def counter(self, name):
        """The median over repetitions, or None where the row has no such counter."""
        return statistics.median(self.counters[name]) if name in self.counters else None

    @property
    def series(self):
        """The variant as reports label it: the precision is told where it is not float32."""
        label = self.variant if self.device == "cpu" else f"{self.device} {self.variant}"
        return label if self.precision == "float32" else f"{label} {self.precision}"

    @property
    def shape(self):
        if not self.form:
            return f"{self.parameters:,} parameters"
        text = f"{self.form} {self.points:,} points / {self.pairs:,} pairs"
        return text if self.trainings == 1 else f"{text}, {self.trainings:,} trainings"

    @property
    def shape_key(self):
        return (self.form, self.points, self.pairs, self.parameters, self.trainings)

    @property
    def least_seconds(self):
        floor = self.counter("floor")
        return None if floor is None else floor * self.seconds

    @property
    def operations(self):
        return self.counter("FLOP/s") * self.seconds

    @property
    def bytes(self):
        return self.counter("bytes/s") * self.seconds


@dataclass
class Results:
    path: str
    context: dict
    rows: list

    @property
    def timed(self):
        return [row for row in self.rows if row.times]

    @property
    def ops(self):
        return list(dict.fromkeys(row.op for row in self.rows))

    @property
    def partial(self):
        """Whether the run ended before its last row."""
        return len(self.rows) < int(self.context.get("rows", 0))

    @property
    def origin(self):
        """Where the results come from, in one line: the devices that rows ran on, the problem."""
        threads = self.context.get("threads", "?")
        names = {
            "cuda": self.context.get("cuda_device", "unknown device").split(", driver")[0],
            "cpu": f"{self.context.get('processor', 'unknown machine').split(', ')[0]}, {threads} "
                   f"thread{'' if threads == '1' else 's'}, {self.context.get('isa', '?')}"}
        devices = {row.device for row in self.rows} or {"cpu"}
        return (f"{'; '.join(name for key, name in names.items() if key in devices)}; network "
                f"{self.context.get('network', '?')}, loss {self.context.get('loss', '?')}; "
                f"commit {self.context.get('commit', '?')}")

    def ceiling(self, name):
        """A number of the context, in its own unit; None where the run did not measure it."""
        try:
            return float(self.context[name])
        except (KeyError, ValueError):
            return None

    def bandwidths(self):
        """[(bytes of the working set, GB/s)], smallest set first."""
        text = self.context.get("bandwidth_gbs_by_bytes", "")
        return [tuple(map(float, level.split(":"))) for level in text.split()]

    def first_rung(self, row):
        """The timed row of the lowest rung for the same work, against which a ladder is climbed."""
        same = [other for other in self.timed
                if (other.op, other.device, other.precision, other.shape_key)
                == (row.op, row.device, row.precision, row.shape_key)]
        return min(same, key=lambda other: other.rung) if same else None


def _refuse_constant(text):
    raise ValueError(f"{text} is not JSON")


def _row(name):
    parts = NAME.fullmatch(name)
    if not parts:
        raise ValueError(f"'{name}' is no name of a row; expected "
                         "op/device_variant/precision/form/points:N/pairs:M")
    number = {key: int(parts[key] or 0) for key in ("points", "pairs", "parameters")}
    return Row(name=name, op=parts["op"], device=parts["device"], variant=parts["variant"],
               precision=parts["precision"], form=parts["form"] or "",
               trainings=int(parts["trainings"] or 1), **number)


def read_document(path):
    """The JSON of Google Benchmark, strictly. Raises BadResults."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file, parse_constant=_refuse_constant)
    except OSError as error:
        raise BadResults(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise BadResults(f"{path}: {error}") from error
    if not isinstance(document, dict) or not {"context", "benchmarks"} <= document.keys():
        raise BadResults(f"{path}: no results of a benchmark; expected 'context' and 'benchmarks'")
    return document


def load(path):
    """Reads a results file of siamese_bench. Raises BadResults."""
    document = read_document(path)
    rows = {}
    try:
        for run in document["benchmarks"]:
            if run.get("run_type") != "iteration":
                continue
            row = rows.setdefault(run["run_name"], _row(run["run_name"]))
            if run.get("error_occurred"):
                row.error = run["error_message"]
                continue
            row.times.append(run["real_time"] * SECONDS[run["time_unit"]])
            label = re.fullmatch(r"rung (\d+)", run.get("label", ""))
            row.rung = int(label[1]) if label else 0
            for key in ("pairs/s", "FLOP/s", "bytes/s", "error", "cold", "floor", "peak",
                        "machine"):
                if key in run:
                    row.counters.setdefault(key, []).append(run[key])
        return Results(str(path), document["context"], list(rows.values()))
    except KeyError as error:
        raise BadResults(f"{path}: a row has no {error}") from error
    except ValueError as error:
        raise BadResults(f"{path}: {error}") from error

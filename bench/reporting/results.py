"""Results of siamese_bench: reading its JSON, and what is computed from it for every report."""

import json
import re
import statistics
from dataclasses import dataclass, field
from pathlib import Path

NAME = re.compile(
    r"(?P<op>[^/]+)/(?P<device>[^_/]+)_(?P<variant>[^/]+)/(?P<precision>[^/]+)/"
    r"(?:(?P<form>dense|indexed|all)/points:(?P<points>\d{1,18})/pairs:(?P<pairs>\d{1,18})"
    r"(?:/trainings:(?P<trainings>\d{1,18}))?"
    r"|parameters:(?P<parameters>\d{1,18}))")
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
LARGEST = 1e100  # no measurement is beyond it, and its square is a number
SCHEMA = "1"  # of what siamese_bench writes: results/README.md
COUNTERS = ("pairs/s", "FLOP/s", "bytes/s", "error", "cold", "floor", "peak", "machine")
# A repetition during which the device ran below this part of its own peak was disturbed, and tells
# little; bench/row.cpp has the same.
QUIET = 0.9
LISTS = ("caches", "load_avg")  # of Google Benchmark's own context
TEXTS = ("rows", "threads", "cuda_device", "processor", "isa", "network", "loss", "commit",
         "bandwidth_gbs_by_bytes")  # of the context, whose words are read


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
    iterations: int = 0  # launches of a repetition
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
    def disturbed(self):
        return bool(self.times) and (self.counter("machine") or 1) < QUIET

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


def ceiling(context, name):
    """A number of a context; None where it has none above 0."""
    try:
        value = float(context[name])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return value if 0 < value <= LARGEST else None


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
        return ceiling(self.context, name)

    def bandwidths(self):
        """[(bytes of the working set, GB/s)], smallest set first."""
        text = self.context.get("bandwidth_gbs_by_bytes", "")
        try:
            return [(float(size), float(rate)) for size, rate in
                    (level.split(":") for level in text.split())]
        except ValueError as error:
            raise ValueError(f"context: bandwidth_gbs_by_bytes: '{text}'; expected BYTES:GB/s "
                             "of each working set") from error

    @property
    def caches(self):
        """Google Benchmark's list of them, as far as it is one."""
        listed = self.context.get("caches")
        return [cache for cache in (listed if isinstance(listed, list) else [])
                if isinstance(cache, dict) and isinstance(cache.get("type"), str)
                and _is_number(cache.get("level")) and _is_number(cache.get("size"))]

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


def file_of(word):
    """The results that a word of a command line means: a file, or that of a folder."""
    path = Path(word)
    return path / "results.json" if path.is_dir() else path


def name_of(run):
    return run.get("run_name", run.get("name"))


def _require(fits, path, where, found, expected):
    if not fits:
        text = json.dumps(found)
        text = text if len(text) <= 60 else f"{text[:60]}.."
        raise BadResults(f"{path}: {where}: {text}; expected {expected}")


def _is_number(value):
    return (isinstance(value, (int, float)) and not isinstance(value, bool)
            and abs(value) <= LARGEST)


def _check_run(path, run, index):
    _require(isinstance(run, dict), path, f"benchmarks[{index}]", run, "a run of a row")
    name = name_of(run)
    _require(isinstance(name, str), path, f"benchmarks[{index}]: run_name", name, "a row's name")
    if not is_repetition(run):
        return
    if run.get("error_occurred"):
        message = run.get("error_message", "")
        _require(isinstance(message, str), path, f"{name}: error_message", message, "text")
        return
    time, unit, label = run.get("real_time"), run.get("time_unit"), run.get("label", "")
    _require(_is_number(time) and time > 0, path, f"{name}: real_time", time,
             f"a number above 0, {LARGEST:g} at most")
    _require(isinstance(unit, str) and unit in SECONDS, path, f"{name}: time_unit", unit,
             f"one of {', '.join(SECONDS)}")
    _require(isinstance(label, str), path, f"{name}: label", label, "text")
    for key in COUNTERS:
        _require(_is_number(run.get(key, 0)), path, f"{name}: {key}", run.get(key),
                 f"a number, {LARGEST:g} at most")


def read_document(path):
    """The JSON of Google Benchmark, strictly: what a row has is what it should be. Raises BadResults."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        document = json.loads(text, parse_constant=_refuse_constant)
    except OSError as error:
        raise BadResults(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        what = f"no JSON ({error})" if text.strip() else "empty"
        raise BadResults(f"{path}: {what}; expected results of a benchmark") from error
    if not isinstance(document, dict) or not {"context", "benchmarks"} <= document.keys():
        raise BadResults(f"{path}: no results of a benchmark; expected 'context' and 'benchmarks'")
    context, runs = document["context"], document["benchmarks"]
    _require(isinstance(context, dict), path, "context", context, "an object")
    for key, value in context.items():
        _require(key in LISTS or not isinstance(value, (dict, list)), path, f"context: {key}", value,
                 "text")
    schema = context.get("schema", SCHEMA)
    _require(schema == SCHEMA, path, "context: schema", schema, f'"{SCHEMA}"')
    _require(isinstance(runs, list), path, "benchmarks", runs, "a list")
    for index, run in enumerate(runs):
        _check_run(path, run, index)
    return document


def is_repetition(run):
    """Whether a run of a document is one, and no mean or the like over several."""
    return run.get("run_type", "iteration") == "iteration"


def repetitions(document):
    """(name, seconds, message, run) of each repetition: one that failed has a message and no seconds."""
    for run in filter(is_repetition, document["benchmarks"]):
        if run.get("error_occurred"):
            yield name_of(run), None, run.get("error_message") or "failed", run
        else:
            yield name_of(run), run["real_time"] * SECONDS[run["time_unit"]], "", run


def load(path):
    """Reads a results file of siamese_bench. Raises BadResults."""
    document = read_document(path)
    context = document["context"]
    if "schema" not in context:
        raise BadResults(f"{path}: the context has no schema; expected results of siamese_bench")
    for key in TEXTS:
        _require(isinstance(context.get(key, ""), str), path, f"context: {key}", context.get(key),
                 "text")
    wanted = context.get("rows", "0")
    _require(re.fullmatch(r"\d{1,9}", wanted), path, "context: rows", wanted, "a count")
    rows = {}
    try:
        for name, seconds, message, run in repetitions(document):
            row = rows.setdefault(name, _row(name))
            if message:
                row.error = message
                continue
            row.times.append(seconds)
            row.iterations = run.get("iterations", 0)
            if _is_number(run.get("cpu_time")):
                row.counters.setdefault("cpu_time", []).append(
                    run["cpu_time"] * SECONDS[run["time_unit"]])
            label = re.fullmatch(r"rung (\d{1,9})", run.get("label", ""))
            row.rung = int(label[1]) if label else 0
            for key in ("FLOP/s", "bytes/s"):
                _require(key in run, path, f"{name}: {key}", None, "a number")
            for key in COUNTERS:
                if key in run:
                    row.counters.setdefault(key, []).append(run[key])
        found = Results(str(path), context, list(rows.values()))
        found.bandwidths()
        return found
    except ValueError as error:
        raise BadResults(f"{path}: {error}") from error

"""Results as tables: readable Markdown, and CSV for other programs."""

import csv
import io
import math
from dataclasses import dataclass

from reporting.results import QUIET

# Repetitions from which on bench/compare has an interval.
ENOUGH = 4


@dataclass
class Table:
    title: str
    header: list
    rows: list  # of lists of text, as many as the header has
    note: str = ""


def time_text(seconds):
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _bytes_text(count):
    for unit, size in (("GiB", 2 ** 30), ("MiB", 2 ** 20), ("KiB", 2 ** 10)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return f"{count:.0f} bytes"


def _optional(value, form):
    return "" if value is None else form.format(value)


def _remark(row):
    if row.error:
        return row.error
    remarks = []
    if row.disturbed:
        percent = math.floor(100 * row.counter("machine"))  # never what QUIET is
        remarks.append(f"machine at {percent}% of its peak")
    if len(row.times) < ENOUGH:
        remarks.append("too few repetitions for a verdict")
    return "; ".join(remarks)


def _op_row(results, row):
    if not row.times:
        return [row.series, row.shape] + [""] * 10 + [_remark(row)]
    first = results.first_rung(row)
    return [
        row.series, row.shape, time_text(row.seconds), str(len(row.times)), f"{100 * row.spread:.1f}%",
        "" if row.counter("cold") is None else time_text(row.counter("cold")),
        f"{row.counter('FLOP/s') * 1e-9:.2f}", _optional(row.counter("peak"), "{:.1f}%"),
        "" if row.least_seconds is None else time_text(row.least_seconds),
        _optional(row.counter("floor"), "{:.3f}"), f"{first.seconds / row.seconds:.2f}x",
        _optional(row.counter("error"), "{:.2g}"), _remark(row)
    ]


def op_tables(results):
    """One table per op: each variant at each shape."""
    header = ["variant", "shape", "time", "repetitions", "spread", "cold", "GFLOP/s", "of peak", "floor",
              "floor / time", "vs first rung", "error", "remark"]
    for op in results.ops:
        rows = [row for row in results.rows if row.op == op]
        yield Table(op, header, [_op_row(results, row) for row in rows])


MACHINE = [
    ("processor", "processor"), ("threads", "threads"), ("isa", "vector instructions"),
    ("system", "system"), ("compiler", "compiler"), ("flags", "flags"),
    ("build_type", "build type"), ("commit", "commit"), ("date", "date"),
    ("cuda_device", "CUDA device"), ("cuda_driver", "CUDA: driver"), ("cuda_compiler", "CUDA: compiler"),
    ("cublas", "cuBLAS"), ("network", "network"), ("loss", "loss"), ("adam", "Adam"),
    ("sweep", "sweep"), ("fma_peak_float32_one_core_gflops", "FMA peak, one core, GFLOP/s"),
    ("fma_peak_float32_gflops", "FMA peak, all threads, GFLOP/s"),
    ("fma_peak_float64_one_core_gflops", "FMA peak in float64, one core, GFLOP/s"),
    ("fma_peak_float64_gflops", "FMA peak in float64, all threads, GFLOP/s"),
    ("launch_us", "threads set going, us"),
    ("mhz_per_cpu", "clock, MHz"), ("clock_governor", "clock governor"),
    ("openblas", "OpenBLAS"),
    ("ceiling_s", "ceilings measured for, s"), ("patience", "patience"), ("row_cap_s", "a row's cap, s"), ("reference_cap_s", "a reference's cap, s"),
    ("memory_bandwidth_gbs", "memory bandwidth, GB/s"),
    ("cuda_peak_float32_gflops", "CUDA: float32 peak, GFLOP/s"),
    ("cuda_peak_tf32_gflops", "CUDA: TF32 peak, GFLOP/s"),
    ("cuda_peak_bf16_gflops", "CUDA: bf16 peak, GFLOP/s"),
    ("cuda_peak_float64_gflops", "CUDA: float64 peak, GFLOP/s"),
    ("cuda_memory_bandwidth_gbs", "CUDA: memory bandwidth, GB/s"),
    ("cuda_l2_bandwidth_gbs", "CUDA: L2 bandwidth, GB/s"), ("cuda_l2_bytes", "CUDA: L2, bytes"),
    ("cuda_launch_us", "CUDA: an empty launch, us"),
    ("cuda_graph_node_us", "CUDA: an empty node of a graph, us"),
    ("cuda_clock_mhz", "CUDA: clock, MHz"),
]


def machine_table(results):
    rows = [[label, str(results.context[key])] for key, label in MACHINE if key in results.context]
    rows += [["bandwidth by working set", ", ".join(
        f"{_bytes_text(size)}: {rate:.0f} GB/s" for size, rate in results.bandwidths())]]
    rows += [["caches of a processor", ", ".join(
        f"L{cache['level']} {cache['type'].lower()} {_bytes_text(cache['size'])}"
        for cache in results.caches)]]
    rows = [row for row in rows if row[1]]
    return Table("Machine and build", ["", ""], rows)


LEGEND = """\
time: median of the repetitions, with what the caches keep from launch to launch. repetitions:
how many. spread: half their range over the median. cold: the time with caches full of something
else. GFLOP/s: useful operations (bench/work.h) over time. of peak: of the device's measured peak in the precision.
floor: the least possible time by the measured ceilings; over the time, 1 is perfect. error: largest
error over its tolerance, below 1 is right. Variants are float32 where nothing else is said. On a
CUDA device times are the device's own: the host has sent the launch before the clock starts.
"""


def grid(table):
    """The rows alone, with columns aligned, so that they read well in a terminal too."""
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in table.rows]
    widths = [max([len(cell) for cell in column] + [3])
              for column in zip(table.header, *escaped)]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths)]
             for row in [table.header, ["-" * width for width in widths], *escaped]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def markdown(table):
    """Title, rows, note."""
    note = f"\n{table.note}" if table.note else ""
    return f"## {table.title}\n\n{grid(table)}{note}"


def correctness_table(results):
    """The worst error of each variant over its tolerance, and where."""
    worst = {}
    for row in results.timed:
        error = row.counter("error")
        key = (row.op, row.series)
        if error is not None and (key not in worst or error > worst[key].counter("error")):
            worst[key] = row
    wrong = [row for row in results.rows if row.error.startswith("wrong")]
    return Table("Correctness", ["op", "variant", "largest error / tolerance", "at"],
                 [[row.op, row.series, row.error, row.shape] for row in wrong] +
                 [[row.op, row.series, f"{row.counter('error'):.3g}", row.shape]
                  for row in worst.values()],
                 "Every row is compared with the float64 reference before it is timed, and its last "
                 "timed launch after; below 1 is right.\n")


def warnings(results):
    """What a reader must know before any number."""
    if results.partial:
        yield (f"Partial: the run was interrupted after {len(results.rows)} of "
               f"{results.context['rows']} rows.")
    if results.context.get("build_type") not in (None, "Release"):
        yield "Not a Release build: these numbers are worth nothing."
    wrong = sum(row.error.startswith("wrong") for row in results.rows)
    if wrong:
        yield f"{wrong} rows were wrong and have no times."
    failed = sum(bool(row.error) and not row.error.startswith(("wrong", "skipped"))
                 for row in results.rows)
    if failed:
        yield f"{failed} rows failed and have no times; their remarks say why."
    noisy = sum(row.disturbed for row in results.timed)
    if noisy:
        yield (f"{noisy} of {len(results.timed)} rows were measured while the machine ran below "
               f"{100 * QUIET:.0f}% of its peak; they are remarked on.")


def report_text(results, more=()):
    """The whole report as Markdown; `more`: further tables, after those of the ops."""
    parts = ["# Benchmark results\n"] + [f"**{text}**\n" for text in warnings(results)]
    parts += [markdown(table) for table in op_tables(results)]
    parts.append(LEGEND)
    parts += [markdown(table) for table in (*more, correctness_table(results), machine_table(results))]
    return "\n".join(parts)


# The columns of Google Benchmark's own CSV, in its order, so that programs which read that read this.
GOOGLE_COLUMNS = ["name", "iterations", "real_time", "cpu_time", "time_unit", "bytes_per_second",
                  "items_per_second", "label", "error_occurred", "error_message"]


def _google_line(row):
    """GOOGLE_COLUMNS of a row, medians of its repetitions; a row that failed has its message alone, as
    Google Benchmark writes it."""
    if not row.times:
        return [row.name, *[""] * 7, "true", row.error]
    rates = [row.counter("bytes/s"), row.counter("pairs/s")]
    cpu = row.counter("cpu_time")
    return [row.name, row.iterations, 1e6 * row.seconds, "" if cpu is None else 1e6 * cpu, "us",
            *("" if rate is None else rate for rate in rates), f"rung {row.rung}", "", ""]


def csv_text(results):
    """One line per row: Google Benchmark's columns, then ours, numbers in SI units and in full."""
    text = io.StringIO()
    columns = ["pairs/s", "FLOP/s", "bytes/s", "cold", "floor", "peak", "error", "machine"]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*GOOGLE_COLUMNS, "op", "device", "variant", "rung", "precision", "form", "points",
                     "pairs", "parameters", "trainings", "repetitions", "median_s", "least_s",
                     "most_s", "floor_s", *columns])
    for row in results.rows:
        times = [row.seconds, min(row.times), max(row.times)] if row.times else [None] * 3
        values = [*times, row.least_seconds, *(row.counter(name) for name in columns)]
        writer.writerow([*_google_line(row), row.op, row.device, row.variant, row.rung, row.precision,
                         row.form, row.points, row.pairs, row.parameters, row.trainings,
                         len(row.times), *("" if value is None else value for value in values)])
    return text.getvalue()

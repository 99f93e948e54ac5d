"""Results as pictures, drawn with matplotlib: each function gives a figure, or None where the
results hold nothing that it could show."""

import statistics
from dataclasses import dataclass

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from reporting import peers
from reporting.tables import time_text

# Okabe and Ito's colours, which colour-blind readers can tell apart; markers and line styles tell
# series apart once more, and go on where eight colours are not enough.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8C6D31"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "p", "h", "d",
           "8", "H"]
LINES = ["-", "--", ":"]
FLOOR = "#777777"
FLOOR_LINES = [(0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (2, 4))]

STYLE = {
    "font.size": 10, "axes.titlesize": 10, "axes.grid": True, "grid.color": "#dddddd",
    "grid.linewidth": 0.6, "axes.axisbelow": True, "axes.spines.top": False,
    "axes.spines.right": False, "svg.fonttype": "none", "svg.hashsalt": "siamese",
    "figure.dpi": 100, "savefig.dpi": 160,
}
# Who is compared with other libraries; each has the colour of its place in every picture.
COMPARED = ["ours", "Eigen", "Eigen, OpenBLAS", "NumPy", "PyTorch", "JAX", "Keras", "cuBLAS"]
DEVICES = {"cpu": "CPU", "cuda": "CUDA device"}
FORM_TITLES = {
    "dense": "dense: two rows of its own per pair",
    "indexed": "indexed: pairs share points",
    "all": "all: every pair of points",
}


def _style(index):
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)],
            "linestyle": LINES[index // len(COLOURS) % len(LINES)]}


def _series_of(rows):
    """The series in ladder order, so that one has the same look in every picture of an op."""
    ordered = sorted(rows, key=lambda row: (row.device, row.precision != "float32", row.precision,
                                            row.rung, row.variant))
    return list(dict.fromkeys(row.series for row in ordered))


def _seconds_text(value, _=None):
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size * 0.999:
            return f"{value / size:g} {unit}"
    return f"{value * 1e9:g} ns"


def _count_text(value, _=None):
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size * 0.999:
            return f"{value / size:.3g}{unit}"
    return f"{value:g}"


def _finish(figure, title, results, top_inches=0.75):
    """Title and origin above the axes, which keep `top_inches` free for them."""
    height = figure.get_size_inches()[1]
    figure.text(0.012, 1 - 0.12 / height, title, fontsize=13, fontweight="bold", va="top")
    figure.text(0.012, 1 - 0.42 / height, results.origin, fontsize=8, color="#555555", va="top")
    return 1 - top_inches / height


def _legend(figure, handles):
    figure.legend(handles=handles, loc="center right", frameon=False, fontsize=9,
                  bbox_to_anchor=(0.995, 0.5))


@dataclass
class Growth:
    """What a picture over growing work shows of a row that takes some seconds for so many items."""

    title: str
    label: str
    value: callable  # of (items, seconds)
    text: callable
    floor: str  # what the floor's line is called, with a place for the precision


TIME = Growth("time", "time of a launch", lambda items, seconds: seconds, _seconds_text,
              "floor ({})")
RATE = Growth("throughput", "{} per second", lambda items, seconds: items / seconds,
              _count_text, "at the floor ({})")


def _floors(rows, count):
    """{precision: {items: least seconds}} of each form's rows, float32 first; without precisions whose
    floors an earlier one has. In every variant's row they are the same but for rounding."""
    floors = {}
    for precision in sorted({row.precision for row in rows}, key=lambda name: (name != "float32", name)):
        least = {(row.form, count(row)): row.least_seconds for row in rows
                 if row.precision == precision and row.least_seconds}
        known = any(all(abs(other.get(key, 0) - seconds) < 0.01 * seconds
                        for key, seconds in least.items()) for other in floors.values())
        if not known:
            floors[precision] = least
    return floors


def growth_picture(results, op, growth):
    """Time or throughput over pairs, a panel per form, log axes, each precision's floor drawn. A point
    is hollow where something disturbed the run."""
    by_points = op in ("pair_forward", "pair_backward")
    count = (lambda row: row.points) if by_points else (lambda row: row.pairs)
    rows = [row for row in results.timed
            if row.op == op and row.form and count(row) and row.trainings == 1]
    forms = list(dict.fromkeys(row.form for row in rows))
    if not rows:
        return None
    series = _series_of(rows)
    items = "points" if by_points else "pairs"

    def value(row, seconds):
        return growth.value(count(row), seconds)

    floors = list(zip(FLOOR_LINES, _floors(rows, count).items()))
    height = max(4.6, 1.6 + 0.22 * (len(series) + len(floors) + 2))
    width = 1.2 + 3.6 * len(forms) + 2.3
    figure, axes = plt.subplots(1, len(forms), figsize=(max(width, 7.5), height), sharey=True,
                                squeeze=False)
    for axis, form in zip(axes[0], forms):
        here = [row for row in rows if row.form == form]
        for index, name in enumerate(series):
            line = sorted((row for row in here if row.series == name), key=count)
            if not line:
                continue
            middle = [value(row, row.seconds) for row in line]
            ends = [sorted(value(row, end(row.times)) for end in (min, max)) for row in line]
            axis.errorbar([count(row) for row in line], middle,
                          yerr=[[y - low for y, (low, _) in zip(middle, ends)],
                                [high - y for y, (_, high) in zip(middle, ends)]],
                          capsize=2, linewidth=1.5, markersize=5, elinewidth=0.8, **_style(index))
            hollow = [(count(row), y) for row, y in zip(line, middle) if row.disturbed]
            if hollow:
                axis.plot(*zip(*hollow), markersize=5, zorder=4,
                          **{**_style(index), "linestyle": ""}, markerfacecolor="white")
        for dashes, (precision, least) in floors:
            points = sorted((x, growth.value(x, seconds)) for (of, x), seconds in least.items()
                            if of == form)
            if points:
                axis.plot(*zip(*points), color=FLOOR, linestyle=dashes, linewidth=1.5, marker="_")
        axis.set(xscale="log", yscale="log", title=FORM_TITLES[form], xlabel=items)
        axis.xaxis.set_major_locator(LogLocator(10, numticks=6))
        axis.xaxis.set_major_formatter(FuncFormatter(_count_text))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.margins(x=0.12)
    axes[0][0].set_ylabel(growth.label.format(items))
    axes[0][0].yaxis.set_major_formatter(FuncFormatter(growth.text))
    handles = [Line2D([], [], label=name, linewidth=1.5, markersize=5, **_style(index))
               for index, name in enumerate(series)]
    handles += [Line2D([], [], color=FLOOR, linestyle=dashes, label=growth.floor.format(precision))
                for dashes, (precision, _) in floors]
    if any(row.disturbed for row in rows):
        handles.append(Line2D([], [], color="#555555", linestyle="", marker="o", markersize=5,
                              markerfacecolor="white", label="hollow: disturbed"))
    top = _finish(figure, f"{op}: {growth.title}", results)
    figure.tight_layout(rect=(0, 0, 1 - 2.0 / figure.get_size_inches()[0], top))
    _legend(figure, handles)
    return figure


def peak_picture(results, op):
    """The ladder: percent of the peak of each variant in its own precision, told by a colour, and its
    time, for percents of different peaks say nothing of which is faster. A panel per shape."""
    rows = [row for row in results.timed if row.op == op and row.counter("peak") is not None]
    if not rows:
        return None
    series = _series_of(rows)
    shapes = list(dict.fromkeys(row.shape_key for row in rows))
    titles = {row.shape_key: row.shape.replace(" points / ", " points\n") for row in rows}
    columns = min(len(shapes), 4)
    lines = -(-len(shapes) // columns)
    panel = 0.75 + 0.27 * len(series)
    figure, axes = plt.subplots(lines, columns, sharex=True, sharey=True, squeeze=False,
                                figsize=(max(2.0 + 2.5 * columns, 7.5), 1.3 + panel * lines + 0.3))
    most = max(row.counter("peak") for row in rows)
    precisions = list(dict.fromkeys(row.precision for row in rows))
    for index, axis in enumerate(axes.flat):
        if index >= len(shapes):
            axis.set_visible(False)
            continue
        here = {row.series: row for row in rows if row.shape_key == shapes[index]}
        for place, name in enumerate(series):
            row = here.get(name)
            if row is None:
                continue
            value = row.counter("peak")
            axis.barh(place, value, height=0.7, color=COLOURS[precisions.index(row.precision)])
            axis.text(value + 0.02 * most, place, f"{value:.3g}%, {time_text(row.seconds)}",
                      va="center", fontsize=8)
        axis.set_title(titles[shapes[index]], fontsize=9)
        axis.grid(axis="y", visible=False)
        axis.xaxis.set_major_locator(MaxNLocator(4))
        if index + columns >= len(shapes):
            axis.set_xlabel("% of peak")
            axis.tick_params(labelbottom=True)
    first = axes[0][0]
    first.set_yticks(range(len(series)), series)
    first.set_ylim(len(series) - 0.4, -0.6)  # the lowest rung on top
    first.set_xlim(0, most * 1.6)
    top = _finish(figure, f"{op}: percent of the device's peak in each precision, and time", results)
    figure.tight_layout(rect=(0, 0, 1, top))
    return figure


@dataclass
class Roofs:
    """The ceilings of a device: operations in GFLOP/s, bandwidths in GB/s, with their labels."""

    peaks: dict  # precision -> GFLOP/s
    bandwidths: list  # [(label, GB/s)], the highest first
    one_core: float = None


def _roofs(results, device):
    """What the run measured of the device; None where it did not."""
    if device == "cpu":
        peak, bandwidths = results.ceiling("fma_peak_float32_gflops"), results.bandwidths()
        if not peak or not bandwidths:
            return None
        threads = int(results.context.get("threads", "1"))
        one_core = results.ceiling("fma_peak_float32_one_core_gflops") if threads > 1 else None
        return Roofs({"float32": peak}, [("first cache", max(gbs for _, gbs in bandwidths)),
                                         ("memory", bandwidths[-1][1])], one_core)
    peaks = {name: results.ceiling(f"cuda_peak_{name}_gflops")
             for name in ("float32", "tf32", "bf16")}
    if not peaks["float32"]:
        return None
    return Roofs(peaks, [("L2", results.ceiling("cuda_l2_bandwidth_gbs")),
                         ("memory", results.ceiling("cuda_memory_bandwidth_gbs"))])


@dataclass(frozen=True)
class _Mark:
    """What tells a row's point in a roofline from those of other rows."""

    label: str
    marker: str
    filled: bool = True
    large: bool = True

    def look(self, colour):
        return {"marker": self.marker, "facecolors": colour if self.filled else "white",
                "edgecolors": "white" if self.filled else colour,
                "linewidths": 0.4 if self.filled else 1.2, "s": 32 if self.large else 12,
                "alpha": 1 if self.large else 0.45, "zorder": 4 if self.large else 3}


def _marks(device, rows):
    """[(row, its mark)]. On a GPU, whose ladders are long, a mark tells whose it is and the precision,
    and of each op and shape the fastest with a mark are large."""
    if device == "cpu":
        series = _series_of(rows)
        return [(row, _Mark(row.series, MARKERS[series.index(row.series) % len(MARKERS)]))
                for row in rows]
    precisions = list(dict.fromkeys(row.precision for row in rows))

    def whose(row):
        return row.precision, row.variant.startswith("cublas")

    fastest = {}
    for row in rows:
        key = (row.op, row.shape_key, *whose(row))
        if key not in fastest or row.seconds < fastest[key].seconds:
            fastest[key] = row
    large = {row.name for row in fastest.values()}

    def mark(row):
        precision, vendor = whose(row)
        return _Mark(f"{precision}, {'cuBLAS' if vendor else 'ours'}",
                     MARKERS[precisions.index(precision)], not vendor, row.name in large)

    return [(row, mark(row)) for row in rows]


def roofline_picture(results, device):
    """Useful operations a second over useful operations a byte, below the device's roofs."""
    roofs = _roofs(results, device)
    marked = _marks(device, [row for row in results.timed if row.device == device and roofs
                             and (row.precision in roofs.peaks or row.precision == "tf32x3")])
    rows = [row for row, _ in marked]
    if not rows:
        return None
    ops = list(dict.fromkeys(row.op for row in rows))
    intensity = [row.operations / row.bytes for row in rows]
    rate = [row.counter("FLOP/s") * 1e-9 for row in rows]

    figure, axis = plt.subplots(figsize=(10.5, 6.2))
    highest = max(roofs.peaks.values())
    left = min(min(intensity), highest / roofs.bandwidths[0][1]) / 2
    right = max(intensity) * 4
    grid = [left * (right / left) ** (step / 200) for step in range(201)]
    for line, (_, bandwidth) in zip(LINES, roofs.bandwidths):
        axis.plot(grid, [min(highest, bandwidth * x) for x in grid], color="#222222",
                  linewidth=1.6, linestyle=line)
    for precision, peak in roofs.peaks.items():
        axis.plot([peak / roofs.bandwidths[0][1], right], [peak, peak], color="#222222",
                  linewidth=1.6 if peak == highest else 0.9)
        axis.annotate(f"{precision} peak: {peak:,.0f} GFLOP/s", (right, peak), xytext=(-4, 4),
                      textcoords="offset points", ha="right", va="bottom", fontsize=8)
    for (row, mark), x, y in zip(marked, intensity, rate):
        colour = COLOURS[ops.index(row.op) % len(COLOURS)]
        axis.scatter(x, y, **mark.look(colour))
    axis.set(xscale="log", yscale="log", xlim=(left, right), ylim=(min(rate) / 2, highest * 2),
             xlabel="useful operations per least byte (FLOP/B)",
             ylabel="useful operations per second (GFLOP/s)")
    axis.xaxis.set_major_formatter(FuncFormatter(_count_text))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}" if value < 1
                                                 else f"{value:,.0f}"))
    gap = [Line2D([], [], linestyle="", label=" ")]
    handles = [Line2D([], [], color="#222222", linestyle=line, label=f"{label}: {gbs:,.0f} GB/s")
               for line, (label, gbs) in zip(LINES, roofs.bandwidths)]
    if roofs.one_core:
        axis.axhline(roofs.one_core, color="#888888", linewidth=1.2, linestyle=":")
        handles.append(Line2D([], [], color="#888888", linestyle=":",
                              label=f"one core: {roofs.one_core:.0f} GFLOP/s"))
    handles += gap
    handles += [Line2D([], [], linestyle="", marker="o", color=COLOURS[i % len(COLOURS)], label=op)
                for i, op in enumerate(ops)]
    handles += gap
    handles += [Line2D([], [], linestyle="", marker=mark.marker, label=mark.label, color="#555555",
                       markerfacecolor="#555555" if mark.filled else "white")
                for mark in sorted(dict.fromkeys(mark for _, mark in marked if mark.large),
                                   key=lambda mark: not mark.filled)]
    if not all(mark.large for _, mark in marked):
        handles.append(Line2D([], [], linestyle="", marker="o", markersize=3, alpha=0.45,
                              color="#555555", label="small: slower variants"))
    top = _finish(figure, f"Roofline, {DEVICES[device]}", results)
    figure.tight_layout(rect=(0, 0, 1 - 2.1 / 10.5, top))
    _legend(figure, handles)
    return figure


def peers_picture(results, device, cases):
    """Each library's time over ours, default and best, a line per piece of work."""
    cases = [case for case in cases if case.ours is not None]
    if not cases:
        return None
    libraries = {library: heading for library, heading in peers.FIELDS[device].libraries.items()
                 if any(any(case.of_library(library)) for case in cases)}
    figure, axis = plt.subplots(figsize=(10.5, 1.6 + 0.42 * len(cases)))
    for place in range(0, len(cases), 2):
        axis.axhspan(place - 0.5, place + 0.5, color="#f2f2f2", zorder=0)
    for index, (library, heading) in enumerate(libraries.items()):
        colour = COLOURS[COMPARED.index(heading)]
        for place, case in enumerate(cases):
            default, best = case.of_library(library)
            shift = place + 0.8 / len(libraries) * (index - (len(libraries) - 1) / 2)
            ratios = [statistics.median(case.over_ours(peer)) for peer in (default, best) if peer]
            axis.plot(ratios, [shift] * len(ratios), color=colour, linewidth=1)
            if default:
                axis.scatter(ratios[0], shift, s=26, facecolors="white", edgecolors=colour, zorder=3)
            if best:
                axis.scatter(ratios[-1], shift, s=26, color=colour, zorder=3)
        axis.scatter([], [], s=26, color=colour, label=heading)
    axis.axvline(1.0, color="#222222", linewidth=1.2)
    axis.set(xscale="log", xlabel="time over ours (open: as one writes it first; filled: best found)")
    axis.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_yticks(range(len(cases)), [case.title for case in cases], fontsize=8)
    axis.set_ylim(len(cases) - 0.5, -0.5)
    where = "" if device == "cpu" else f", on {results.context.get('cuda_device', 'a GPU')}"
    top = _finish(figure, f"Other libraries on the same training step{where}", results)
    figure.tight_layout(rect=(0, 0, 1 - 1.6 / 10.5, top))
    handles, _ = axis.get_legend_handles_labels()
    _legend(figure, handles)
    return figure


def scaling_picture(results, cases):
    """Speed over that of one thread, of ours and of the best of each library, a panel per piece of
    work; `cases` of the CPU."""
    works = {}
    for case in cases:
        works.setdefault(case.work, {})[case.threads] = case
    works = {work: dict(sorted(by_threads.items())) for work, by_threads in works.items()
             if 1 in by_threads and len(by_threads) > 1}
    if not works:
        return None
    libraries = peers.FIELDS["cpu"].libraries
    series = {"ours": lambda case: case.seconds.get(case.ours)}
    series |= {heading: lambda case, library=library: case.seconds.get(case.of_library(library)[1])
               for library, heading in libraries.items()}

    columns = min(len(works), 3)
    lines = -(-len(works) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(3.3 * columns + 2.0, 2.7 * lines + 0.8),
                                sharex=True, sharey=True, squeeze=False)
    for axis in axes.flat[len(works):]:
        axis.set_visible(False)
    most = 1.0
    for axis, (work, by_threads) in zip(axes.flat, works.items()):
        for name, seconds_of in series.items():
            speed = {threads: seconds_of(by_threads[1]) / seconds_of(case)
                     for threads, case in by_threads.items()
                     if seconds_of(by_threads[1]) and seconds_of(case)}
            if len(speed) > 1:
                most = max(most, *speed.values(), *by_threads)
                axis.plot(speed.keys(), speed.values(), linewidth=1.5, markersize=5,
                          zorder=3 if name == "ours" else 2, **_style(COMPARED.index(name)))
        axis.plot(by_threads.keys(), by_threads.keys(), color=FLOOR, linestyle=(0, (4, 2)))
        axis.set_title(work.replace(": ", "\n"), fontsize=9)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_ylim(0, 1.05 * most)  # of all panels, which share it
    for axis in axes[:, 0]:
        axis.set_ylabel("speed over one thread")
    for axis in axes.flat[max(len(works) - columns, 0):len(works)]:
        axis.set_xlabel("threads")
        axis.tick_params(labelbottom=True)
    handles = [Line2D([], [], label=name, linewidth=1.5, markersize=5, **_style(COMPARED.index(name)))
               for name in series]
    handles.append(Line2D([], [], color=FLOOR, linestyle=(0, (4, 2)), label="in proportion"))
    top = _finish(figure, "Scaling over threads", results)
    figure.tight_layout(rect=(0, 0, 1 - 1.8 / figure.get_size_inches()[0], top))
    _legend(figure, handles)
    return figure


def all_pictures(results, peer_cases):
    """[(name without ending, figure)]; `peer_cases`: {device: [Case]}."""
    with plt.rc_context(STYLE):
        for op in results.ops:
            for kind, figure in (("time", growth_picture(results, op, TIME)),
                                 ("rate", growth_picture(results, op, RATE)),
                                 ("peak", peak_picture(results, op))):
                if figure is not None:
                    yield f"{kind}_{op}", figure
                    plt.close(figure)
        for device, cases in peer_cases.items():
            figure = peers_picture(results, device, cases)
            if figure is not None:
                yield peers.FIELDS[device].picture, figure
                plt.close(figure)
        figure = scaling_picture(results, peer_cases.get("cpu", []))
        if figure is not None:
            yield "scaling", figure
            plt.close(figure)
        for name, device in (("roofline", "cpu"), ("roofline_cuda", "cuda")):
            figure = roofline_picture(results, device)
            if figure is not None:
                yield name, figure
                plt.close(figure)
